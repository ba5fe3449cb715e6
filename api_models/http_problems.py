"""Problems of HTTP requests (RFC 9457)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, Field

TYPE_BEGINNING: Final = "urn:ttsq:problem:"


class Trouble(StrEnum):
    """A stable problem name: the last part of `type`."""

    INVALID_INPUT = "invalid-input"
    """A field of the request is invalid; `faults` lists every one."""
    MALFORMED = "malformed"
    """The request cannot be parsed."""
    NO_KEY = "no-key"
    """The API key is missing or invalid."""
    WRONG_SIGNATURE = "wrong-signature"
    """The webhook is not signed by the hook's sender, or too long ago."""
    NOT_PERMITTED = "not-permitted"
    """The key lacks the required scope."""
    BUDGET_EXHAUSTED = "budget-exhausted"
    """The key's budget is exhausted."""
    NOT_FOUND = "not-found"
    """It does not exist, or belongs to another tenant."""
    WRONG_METHOD = "wrong-method"
    """The resource does not support this method."""
    NOT_ACCEPTABLE = "not-acceptable"
    """The response is not available in the requested form."""
    TOO_SLOW = "too-slow"
    """The request arrived too slowly."""
    CONFLICT = "conflict"
    """The request conflicts with the current state."""
    KEY_REUSED = "idempotency-key-reused"
    """The Idempotency-Key belongs to another request."""
    GONE = "gone"
    """It existed and was removed."""
    TOO_LARGE = "too-large"
    """The request exceeds the maximum size."""
    WRONG_TYPE = "unsupported-type"
    """The content type is not supported."""
    RANGE = "range-not-satisfiable"
    """The audio does not have this range."""
    TOO_MANY = "too-many-requests"
    """The key's rate limit is exceeded; `Retry-After` says when to retry."""
    HEADERS_TOO_LARGE = "headers-too-large"
    """Too many header fields."""
    BROKEN = "broken"
    """An internal error; find it in the log by the request id."""
    STORE_TROUBLE = "store-trouble"
    """The artifact store does not respond."""
    OVERLOADED = "overloaded"
    """The gateway is overloaded; `Retry-After` says when to retry. Nothing was stored."""


class HttpFault(BaseModel):
    """One fault of the request."""

    field: str | None = None
    line: int | None = None
    message: str


class Problem(BaseModel):
    """A failed request."""

    type: Annotated[str, Field(pattern=f"^{TYPE_BEGINNING}", examples=["urn:ttsq:problem:invalid-input"])]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str | None, Field(description="The request id, as in the log.")] = None
    faults: Annotated[list[HttpFault], Field(description="Every fault of the request.")] = []
