"""Request errors as exceptions that carry their response (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic_core import to_json
from starlette.responses import Response

from api_models.http_problems import TYPE_BEGINNING, Trouble
from api_models.problems import Fault

MEDIA_TYPE: Final = "application/problem+json"
MAX_FAULTS: Final = 100

_ANSWERS: Final[Mapping[Trouble, tuple[int, str]]] = {
    Trouble.INVALID_INPUT: (422, "Invalid request"),
    Trouble.MALFORMED: (400, "Malformed request"),
    Trouble.NO_KEY: (401, "Authentication required"),
    Trouble.WRONG_SIGNATURE: (401, "Invalid webhook signature"),
    Trouble.NOT_PERMITTED: (403, "Permission denied"),
    Trouble.BUDGET_EXHAUSTED: (402, "Budget used up"),
    Trouble.NOT_FOUND: (404, "Not found"),
    Trouble.WRONG_METHOD: (405, "Method not allowed"),
    Trouble.NOT_ACCEPTABLE: (406, "Not acceptable"),
    Trouble.TOO_SLOW: (408, "Request timeout"),
    Trouble.CONFLICT: (409, "Conflict"),
    Trouble.KEY_REUSED: (409, "Idempotency-Key already used"),
    Trouble.GONE: (410, "Gone"),
    Trouble.TOO_LARGE: (413, "Request too large"),
    Trouble.WRONG_TYPE: (415, "Unsupported media type"),
    Trouble.RANGE: (416, "Range not satisfiable"),
    Trouble.TOO_MANY: (429, "Too many requests"),
    Trouble.HEADERS_TOO_LARGE: (431, "Request headers too large"),
    Trouble.BROKEN: (500, "Internal server error"),
    Trouble.STORE_TROUBLE: (502, "Audio store unavailable"),
    Trouble.OVERLOADED: (503, "Service unavailable"),
}


class ProblemError(Exception):
    def __init__(
        self,
        trouble: Trouble,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`detail` names the remedy; `retry_after` is in seconds."""
        super().__init__(detail)
        self.trouble = trouble
        self.status, self.title = _ANSWERS[trouble]
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, int(-(-retry_after // 1))))

    def response(self, request_id: str | None = None) -> Response:
        body = {
            "type": TYPE_BEGINNING + self.trouble,
            "title": self.title,
            "status": self.status,
            "detail": sendable(self.detail),
            "instance": request_id,
            "faults": [
                {
                    "field": fault.field and sendable(fault.field),
                    "line": fault.line,
                    "message": sendable(f"{fault.place}: {fault.message}" if fault.place else fault.message),
                }
                for fault in self.faults[:MAX_FAULTS]
            ],
        }
        return Response(to_json(body), self.status, self.headers, MEDIA_TYPE)


def invalid(faults: Sequence[Fault], total: int | None = None) -> ProblemError:
    number = total or len(faults)
    detail = str(faults[0]) if number == 1 else f"{number:,} errors; the first: {faults[0]}"
    return ProblemError(Trouble.INVALID_INPUT, detail, faults=faults)


def not_found(what: str) -> ProblemError:
    """Same response for a missing object and another tenant's."""
    return ProblemError(Trouble.NOT_FOUND, f"No such {what}.")


def sendable(text: str) -> str:
    """Replace unpaired surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()
