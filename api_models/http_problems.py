"""What went wrong with an HTTP request, as RFC 9457 writes it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, Field

TYPE_BEGINNING: Final = "urn:ttsq:problem:"


class Trouble(StrEnum):
    """What went wrong, in a word that stays the same: the last part of a problem's `type`."""

    INVALID_INPUT = "invalid-input"
    """Something in the request can't be; `faults` names every place."""
    MALFORMED = "malformed"
    """The request can't be read at all."""
    NO_KEY = "no-key"
    """There is no API key, or not a good one."""
    NOT_PERMITTED = "not-permitted"
    """The key is good, but not for this."""
    BUDGET_EXHAUSTED = "budget-exhausted"
    """What the key may spend is spent."""
    NOT_FOUND = "not-found"
    """There is no such thing, or it is somebody else's."""
    WRONG_METHOD = "wrong-method"
    """The thing exists, but can't be asked this."""
    NOT_ACCEPTABLE = "not-acceptable"
    """The answer isn't to be had in the form asked for."""
    TOO_SLOW = "too-slow"
    """The request took too long to arrive."""
    CONFLICT = "conflict"
    """It contradicts what is there."""
    KEY_REUSED = "idempotency-key-reused"
    """The Idempotency-Key belongs to another request."""
    GONE = "gone"
    """It was there once."""
    TOO_LARGE = "too-large"
    """The request is longer than permitted."""
    WRONG_TYPE = "unsupported-type"
    """The body is of a kind that isn't read here."""
    RANGE = "range-not-satisfiable"
    """The audio has no such part."""
    TOO_MANY = "too-many-requests"
    """More requests than the key may make; `Retry-After` says when to go on."""
    HEADERS_TOO_LARGE = "headers-too-large"
    """Too many header fields."""
    BROKEN = "broken"
    """A mistake of ours; the request's id finds it in the log."""
    STORE_TROUBLE = "store-trouble"
    """The place where audio is kept doesn't answer."""
    OVERLOADED = "overloaded"
    """Not now; `Retry-After` says when. Nothing was taken."""


class HttpFault(BaseModel):
    """One thing that is wrong in one place."""

    field: str | None = None
    line: int | None = None
    message: str


class Problem(BaseModel):
    """What went wrong."""

    type: Annotated[str, Field(pattern=f"^{TYPE_BEGINNING}", examples=["urn:ttsq:problem:invalid-input"])]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str | None, Field(description="The request's id, by which the log knows it.")] = None
    faults: Annotated[list[HttpFault], Field(description="Every place at fault.")] = []
