"""Errors in OpenAI's form. Every response says whether repeating the request can help: OpenAI's SDKs obey it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic_core import to_json
from starlette.responses import Response

from api_models.http_problems import Trouble
from worker.gateway.problems import ProblemError, sendable

INVALID: Final = "invalid_request_error"
QUOTA: Final = "insufficient_quota"
SERVER: Final = "server_error"
MAX_MESSAGES: Final = 5


class _Form(NamedTuple):
    status: int
    type: str
    code: str | None
    retries: bool = False


_FORMS: Final[Mapping[Trouble, _Form]] = {
    Trouble.INVALID_INPUT: _Form(400, INVALID, None),
    Trouble.MALFORMED: _Form(400, INVALID, "malformed"),
    Trouble.NO_KEY: _Form(401, INVALID, "invalid_api_key"),
    Trouble.NOT_PERMITTED: _Form(403, INVALID, "insufficient_permissions"),
    Trouble.BUDGET_EXHAUSTED: _Form(429, QUOTA, QUOTA),
    Trouble.NOT_FOUND: _Form(404, INVALID, "not_found"),
    Trouble.WRONG_METHOD: _Form(405, INVALID, "method_not_allowed"),
    Trouble.NOT_ACCEPTABLE: _Form(406, INVALID, "not_acceptable"),
    Trouble.TOO_SLOW: _Form(408, INVALID, "request_timeout", retries=True),
    Trouble.CONFLICT: _Form(409, INVALID, "conflict"),
    Trouble.KEY_REUSED: _Form(409, INVALID, "idempotency_key_reused"),
    Trouble.GONE: _Form(410, INVALID, "gone"),
    Trouble.TOO_LARGE: _Form(413, INVALID, "request_too_large"),
    Trouble.WRONG_TYPE: _Form(415, INVALID, "unsupported_media_type"),
    Trouble.RANGE: _Form(416, INVALID, "range_not_satisfiable"),
    Trouble.TOO_MANY: _Form(429, "rate_limit_error", "rate_limit_exceeded", retries=True),
    Trouble.HEADERS_TOO_LARGE: _Form(431, INVALID, "headers_too_large"),
    Trouble.BROKEN: _Form(500, SERVER, "internal_error", retries=True),
    Trouble.STORE_TROUBLE: _Form(502, SERVER, "store_unavailable", retries=True),
    Trouble.OVERLOADED: _Form(503, SERVER, "overloaded", retries=True),
}


class OpenAIError(Exception):
    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retries: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`kind` is OpenAI's `type`; `retries`: whether repeating the request can help."""
        super().__init__(message)
        self.status = status
        self.body = {"message": sendable(message), "type": kind, "param": param and sendable(param), "code": code}
        self.headers = {**(headers or {}), "x-should-retry": "true" if retries else "false"}

    def response(self) -> Response:
        return Response(to_json({"error": self.body}), self.status, self.headers, "application/json")


def from_problem(problem: ProblemError) -> OpenAIError:
    """The same error in OpenAI's form: `param` is the first faulty field, the message names every one."""
    form = _FORMS[problem.trouble]
    shown = [str(fault) for fault in problem.faults[:MAX_MESSAGES]]
    message = "; ".join(shown) or problem.detail
    if len(problem.faults) > len(shown):
        message += f" (and {len(problem.faults) - len(shown)} more)"
    param = problem.faults[0].field if problem.faults else None
    return OpenAIError(
        form.status, form.type, message, code=form.code, param=param, retries=form.retries, headers=problem.headers
    )


def out_of_quota(message: str) -> OpenAIError:
    """OpenAI's error for an account without credit: repeating the request costs nothing and does not help."""
    return OpenAIError(429, QUOTA, message, code=QUOTA)
