"""What goes wrong with a request, as an exception that knows its answer (RFC 9457)."""

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
    Trouble.INVALID_INPUT: (422, "Something in the request can't be"),
    Trouble.MALFORMED: (400, "The request can't be read"),
    Trouble.NO_KEY: (401, "An API key is needed"),
    Trouble.NOT_PERMITTED: (403, "The API key doesn't permit this"),
    Trouble.BUDGET_EXHAUSTED: (402, "The API key's budget is used up"),
    Trouble.NOT_FOUND: (404, "There is no such thing"),
    Trouble.WRONG_METHOD: (405, "This can't be done here"),
    Trouble.NOT_ACCEPTABLE: (406, "The answer isn't to be had in this form"),
    Trouble.TOO_SLOW: (408, "The request took too long to arrive"),
    Trouble.CONFLICT: (409, "It contradicts what is there"),
    Trouble.KEY_REUSED: (409, "The Idempotency-Key belongs to another request"),
    Trouble.GONE: (410, "It is gone"),
    Trouble.TOO_LARGE: (413, "The request is too long"),
    Trouble.WRONG_TYPE: (415, "The body is of a kind that isn't read here"),
    Trouble.RANGE: (416, "The audio has no such part"),
    Trouble.TOO_MANY: (429, "Too many requests"),
    Trouble.HEADERS_TOO_LARGE: (431, "Too many header fields"),
    Trouble.BROKEN: (500, "A mistake of ours"),
    Trouble.STORE_TROUBLE: (502, "The audio can't be reached"),
    Trouble.OVERLOADED: (503, "Not now"),
}


class ProblemError(Exception):
    """The request ends here, with this answer."""

    def __init__(
        self,
        trouble: Trouble,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`detail` says what to do about it; `retry_after` is in seconds."""
        super().__init__(detail)
        self.trouble = trouble
        self.status, self.title = _ANSWERS[trouble]
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, int(-(-retry_after // 1))))

    def response(self, request_id: str | None = None) -> Response:
        """The answer."""
        body = {
            "type": TYPE_BEGINNING + self.trouble,
            "title": self.title,
            "status": self.status,
            "detail": _sendable(self.detail),
            "instance": request_id,
            "faults": [
                {
                    "field": fault.field and _sendable(fault.field),
                    "line": fault.line,
                    "message": _sendable(f"{fault.place}: {fault.message}" if fault.place else fault.message),
                }
                for fault in self.faults[:MAX_FAULTS]
            ],
        }
        return Response(to_json(body), self.status, self.headers, MEDIA_TYPE)


def invalid(faults: Sequence[Fault], total: int | None = None) -> ProblemError:
    """Everything that is wrong with an input, at once."""
    number = total or len(faults)
    detail = str(faults[0]) if number == 1 else f"{number:,} faults; the first: {faults[0]}"
    return ProblemError(Trouble.INVALID_INPUT, detail, faults=faults)


def not_found(what: str) -> ProblemError:
    """Said of what isn't there and of what is another tenant's alike."""
    return ProblemError(Trouble.NOT_FOUND, f"There is no such {what}.")


def _sendable(text: str) -> str:
    """Half of a surrogate pair has no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
