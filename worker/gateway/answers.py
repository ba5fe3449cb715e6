"""How answers are written and documented: JSON, problems, and what every route has in common."""

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
    "description": f"`wait=N` answers when the job ends, or after N seconds, {MAX_WAIT_SECONDS} at most.",
    "schema": {"type": "string"},
    "example": "wait=10",
}
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


def wait_seconds(headers: Mapping[str, str]) -> float:
    """For how long the client would wait; 0 where it says nothing of it, or nothing that can be understood."""
    found = _WAIT.search(headers.get("prefer", ""))
    return float(min(int(found[1]), MAX_WAIT_SECONDS)) if found else 0.0


def prefers_audio(headers: Mapping[str, str]) -> bool:
    """Whether the client would rather have the audio itself."""
    first = headers.get("accept", "").split(",")[0].partition(";")[0].strip().lower()
    return first.startswith("audio/")


PROBLEM: Final[Mapping[str, Any]] = {
    "description": "What went wrong.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
ALWAYS: Final = (400, 401, 403, 413, 415, 422, 429, 431, 503)
"""What any route may answer."""
RETRY_AFTER: Final[Mapping[str, Any]] = {
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "string"}}
}


def json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 - whatever JSON has
    """Content as JSON."""
    return Response(to_json(content), status, dict(headers or {}), "application/json")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of everything that can go wrong."""
    return {status: dict(PROBLEM) for status in sorted({*ALWAYS, *statuses})}


def with_body(
    model: type[BaseModel],
    example: Mapping[str, Any],
    *,
    others: Sequence[str] = (),
    headers: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The documentation of a body that is read strictly. `others` are further media types, of plain text."""
    content: dict[str, Any] = {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
            "example": dict(example),
        }
    }
    content |= {media: {"schema": {"type": "string", "format": "binary"}} for media in others}
    return {"requestBody": {"required": True, "content": content}, "parameters": list(headers)}


def require_json(request: Request) -> None:
    """Raises ProblemError where the body doesn't say that it is JSON: a form of another site never does."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise ProblemError(Trouble.WRONG_TYPE, "Send JSON, and say so: `Content-Type: application/json`.")


def gateway_of(request: Request) -> Gateway:
    """The parts of this process."""
    found: Gateway = request.app.state.gateway
    return found


def may(scope: Scope) -> Any:  # noqa: ANN401 - a dependency stands in for the value it gives
    """The caller, where its key permits this."""

    async def permitted(request: Request) -> Caller:
        caller = caller_of(request.scope)
        if scope not in caller.scopes:
            raise ProblemError(Trouble.NOT_PERMITTED, f"This takes a key with the scope `{scope}`.")
        return caller

    return Depends(permitted)


Submitter = Annotated[Caller, may(Scope.SUBMIT)]
Reader = Annotated[Caller, may(Scope.READ)]
Operator = Annotated[Caller, may(Scope.OPERATE)]
Admin = Annotated[Caller, may(Scope.ADMIN)]


async def no_strangers(request: Request) -> None:
    """Refuse parameters that nobody reads."""
    if request.scope["query_string"]:
        given = [name for name, _ in request.query_params.multi_items()]
        strict_json.known_only(given, _parameters(request.scope["route"]))


def _parameters(route: APIRoute) -> Iterator[str]:
    for field in route.dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield field.alias


def line(content: Mapping[str, Any]) -> bytes:
    """One object on a line of its own."""
    return to_json(content) + b"\n"
