"""Writes and documents responses: JSON, problems, and what all routes share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from api_models.access import Scope
from api_models.http_problems import Trouble
from worker.gateway import strict_json
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.middleware.guard import caller_of
from worker.gateway.parts import Gateway
from worker.gateway.problems import MEDIA_TYPE, ProblemError

MAX_WAIT_SECONDS: Final = 60
WAIT_HEADER: Final[dict[str, Any]] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": f"`wait=N` responds when the job has finished, or after N seconds (at most {MAX_WAIT_SECONDS}).",
    "schema": {"type": "string"},
    "example": "wait=10",
}
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


def wait_seconds(headers: Mapping[str, str]) -> float:
    """Return the seconds of `Prefer: wait`, or 0 if it is missing or malformed."""
    found = _WAIT.search(headers.get("prefer", ""))
    return float(min(int(found[1]), MAX_WAIT_SECONDS)) if found else 0.0


def prefers_audio(headers: Mapping[str, str]) -> bool:
    first = headers.get("accept", "").split(",")[0].partition(";")[0].strip().lower()
    return first.startswith("audio/")


DESCRIPTIONS: Final[Mapping[int, str]] = {
    400: "The request cannot be parsed: the JSON, a header or the query is malformed or ambiguous.",
    401: "The API key is missing, invalid or revoked; for a webhook, its signature is missing, invalid or too old.",
    402: "The key's budget is used up: what its jobs cost and may still cost has reached it.",
    403: "The key lacks the scope, or a gateway without authentication was reached through a proxy or a web page.",
    404: "There is no such object, or it belongs to another tenant.",
    408: "The body arrived too slowly.",
    409: "The request conflicts with the object's state, or the Idempotency-Key belongs to another request.",
    410: "It existed and was removed, or is missing from the store.",
    413: "The body is too large.",
    415: "The Content-Type or Content-Encoding is not supported.",
    416: "The audio does not have this range; `Content-Range` has its size.",
    422: "Fields of the request are invalid; `faults` lists the first hundred with their places and remedies.",
    429: "The key's rate limit or its limit of concurrent requests is exceeded; `Retry-After` says when to retry.",
    431: "Too many header fields, or too long ones.",
    500: "An internal error; `instance` is the request id in the log.",
    502: "The audio store does not respond; `Retry-After` says when to retry.",
    503: "The gateway is overloaded or its database is unavailable; nothing was stored. Retry after `Retry-After`.",
}
"""Of error responses, in the API's description."""
ALWAYS: Final = (400, 401, 403, 413, 415, 422, 429, 431, 503)
"""Status codes that any route may return."""
RETRY_AFTER: Final[Mapping[str, Any]] = {
    "Retry-After": {"description": "Seconds to wait before retrying.", "schema": {"type": "string"}}
}


def json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 - any JSON value
    return Response(to_json(content), status, dict(headers or {}), "application/json")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: _problem(status) for status in sorted({*ALWAYS, *statuses})}


def _problem(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": DESCRIPTIONS[status], "content": content} if status in DESCRIPTIONS else {}


def with_body(
    model: type[BaseModel],
    example: Mapping[str, Any],
    *,
    others: Sequence[str] = (),
    headers: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Document a body that is parsed strictly. `others` are further media types of plain text."""
    content: dict[str, Any] = {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
            "example": dict(example),
        }
    }
    content |= {media: {"schema": {"type": "string", "format": "binary"}} for media in others}
    return {"requestBody": {"required": True, "content": content}, "parameters": list(headers)}


def require_json(request: Request) -> None:
    """Raise ProblemError unless the body is declared as JSON: a form of another site never is."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise ProblemError(Trouble.WRONG_TYPE, "Send JSON with `Content-Type: application/json`.")


def gateway_of(request: Request) -> Gateway:
    found: Gateway = request.app.state.gateway
    return found


def may(scope: Scope) -> Any:  # noqa: ANN401 - FastAPI replaces the dependency by its value

    async def permitted(request: Request) -> Caller:
        caller = caller_of(request.scope)
        if scope not in caller.scopes:
            raise ProblemError(Trouble.NOT_PERMITTED, f"This request requires a key with the scope `{scope}`.")
        return caller

    return Depends(permitted)


Submitter = Annotated[Caller, may(Scope.SUBMIT)]
Reader = Annotated[Caller, may(Scope.READ)]
Operator = Annotated[Caller, may(Scope.OPERATE)]
Admin = Annotated[Caller, may(Scope.ADMIN)]
InstallationAdmin = Annotated[Caller, may(Scope.INSTALLATION)]


async def reject_unknown_parameters(request: Request) -> None:
    if request.scope["query_string"] and not request.url.path.startswith("/console"):  # people's links may carry more
        given = [name for name, _ in request.query_params.multi_items()]
        strict_json.reject_unknown(given, _parameters(request.scope["route"]))


def _parameters(route: APIRoute) -> Iterator[str]:
    for field in route.dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield field.alias


def line(content: Mapping[str, Any]) -> bytes:
    return to_json(content) + b"\n"
