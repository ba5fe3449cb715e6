"""Error responses as exceptions. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ttsq_client.errors import (
    ApiError,
    AuthenticationError,
    BudgetExhaustedError,
    ConflictError,
    Fault,
    GoneError,
    InvalidRequestError,
    KeyReusedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    TtsqError,
    UnavailableError,
    UnexpectedResponseError,
)

TYPE_BEGINNING: Final = "urn:ttsq:problem:"
KEY_REUSED: Final = "idempotency-key-reused"
MAX_CHARACTERS: Final = 2_000
MAX_FAULTS: Final = 100
_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    401: AuthenticationError,
    402: BudgetExhaustedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    408: UnavailableError,
    429: RateLimitedError,
}
_PROXY_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""What a proxy in front may answer for the gateway, without a problem: it may pass."""


def error_of(status: int, body: bytes, retry_after: float | None) -> TtsqError:
    """Return the error of a refusal, by the problem in its body (RFC 9457)."""
    problem = _problem(body)
    if problem is None and status not in _PROXY_STATUSES:
        return UnexpectedResponseError(f"HTTP {status}, and not from a ttsq gateway; check the address", status=status)
    found = problem or {}
    code = _text(found.get("type"), "unavailable").removeprefix(TYPE_BEGINNING)
    faults = found.get("faults")
    return _kind(status, code)(
        status=status,
        code=code,
        detail=_text(found.get("detail"), f"HTTP {status} without a reason"),
        faults=[_fault(one) for one in faults[:MAX_FAULTS]] if isinstance(faults, list) else (),
        request_id=found["instance"][:MAX_CHARACTERS] if isinstance(found.get("instance"), str) else None,
        retry_after=retry_after,
    )


def _kind(status: int, code: str) -> type[ApiError]:
    if code == KEY_REUSED:
        return KeyReusedError
    if status >= 500:
        return UnavailableError
    return _BY_STATUS.get(status, InvalidRequestError)


def _problem(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not str(found.get("type", "")).startswith(TYPE_BEGINNING):
        return None
    return found


def _fault(given: object) -> Fault:
    found = given if isinstance(given, dict) else {}
    field, line = found.get("field"), found.get("line")
    return Fault(
        _text(found.get("message"), "is invalid"),
        field[:MAX_CHARACTERS] if isinstance(field, str) else None,
        line if isinstance(line, int) else None,
    )


def _text(value: object, otherwise: str) -> str:
    return value[:MAX_CHARACTERS] if isinstance(value, str) and value else otherwise
