"""Webhook endpoints and deliveries, as HTTP clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api_models.happenings import Happening

MIN_SECRET_CHARACTERS: Final = 16
_RESERVED: Final = frozenset(
    {"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "range", "date"}
    | {"user-agent", "cookie", "forwarded", "via", "traceparent", "tracestate"}
)
_RESERVED_BEGINNINGS: Final = ("webhook-", "svix-", "content-", "proxy-", "sec-", "accept", "x-forwarded")


def _free_header(name: str | None) -> str | None:
    if name is not None and (name.lower() in _RESERVED or name.lower().startswith(_RESERVED_BEGINNINGS)):
        message = "is a header with another meaning; use Authorization, or a name such as X-Webhook-Token"
        raise PydanticCustomError("header_name", message)
    return name


HeaderName = Annotated[
    Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$", examples=["X-Webhook-Token"])] | None,
    AfterValidator(_free_header),
]
HeaderValue = (
    Annotated[
        str,
        # Neither quotes nor backslashes, so that a response that repeats the value can be redacted.
        Field(
            pattern=r"^[A-Za-z0-9._~+/=:-]+( [A-Za-z0-9._~+/=:-]+)*$", min_length=MIN_SECRET_CHARACTERS, max_length=500
        ),
    ]
    | None
)


class SecretHeader(BaseModel):
    """A header with a shared secret, for receivers that cannot verify signatures."""

    header_name: HeaderName = None
    """Name of a header that carries `header_value`; messages are signed as well."""
    header_value: Annotated[HeaderValue, Field(validate_default=True, repr=False)] = None
    """The secret, at least 16 characters. It is never returned, and appears in no log of deliveries."""

    @field_validator("header_value")
    @classmethod
    def _with_its_name(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "header_name" in info.data and (info.data["header_name"] is None) != (value is None):
            raise PydanticCustomError("header_value", "needs a header_name beside it, and the name a value; set both")
        return value


class EndpointIn(SecretHeader):
    """A receiver of events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(min_length=8, max_length=2_000, examples=["https://example.org/hooks/speech"])]
    events: Annotated[tuple[Happening, ...], Field(max_length=len(Happening))] = ()
    """Event types to send; empty sends all."""
    ordered: bool = False
    """Deliver one event at a time, in order. A failed delivery holds up the following ones."""
    thin: bool = False
    """Send only the event type and the ids."""
    flat: bool = False
    """Repeat the fields of `data` at the first level: `audio.url` becomes `audio_url`."""


class EndpointChange(SecretHeader):
    """Fields to change; the rest is unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: Annotated[tuple[Happening, ...], Field(max_length=len(Happening))] | None = None
    ordered: bool | None = None
    thin: bool | None = None
    flat: bool | None = None
    disabled: bool | None = None
    """False re-enables a disabled endpoint for new events."""


class EndpointView(BaseModel):
    """One endpoint."""

    id: UUID
    url: Annotated[str | None, Field(description="Null for the internal endpoint of your callback URLs.")]
    events: list[Happening]
    ordered: bool
    thin: bool
    flat: bool
    header_name: Annotated[str | None, Field(description="Header with the shared secret, which is not shown.")]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None


class EndpointList(BaseModel):
    """All endpoints."""

    endpoints: list[EndpointView]


class EndpointSecret(BaseModel):
    """The signing secret, in the format of Standard Webhooks."""

    secret: Annotated[str, Field(pattern="^whsec_")]
    old_secret_until: Annotated[
        datetime | None, Field(description="Until then messages are also signed with the previous secret.")
    ]


class TryView(BaseModel):
    """One HTTP request and its response."""

    number: int
    at: datetime
    seconds: float
    status: int | None
    request: dict[str, str]
    response: str | None
    error: str | None


class DeliveryView(BaseModel):
    """The delivery of one event to one endpoint."""

    id: UUID
    endpoint_id: UUID
    event_id: int
    type: str
    subject: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    finished_at: datetime | None


class DeliveryInFull(DeliveryView):
    """A delivery with all of its requests."""

    tries: list[TryView]


class DeliveryPage(BaseModel):
    """One page of deliveries, the newest first."""

    deliveries: list[DeliveryView]
    next_cursor: Annotated[str | None, Field(description="Pass as `cursor` for the next page; null on the last.")]


class Redelivery(BaseModel):
    """Which deliveries to send again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: AwareDatetime
    until: AwareDatetime
    delivered: bool = False
    """Include successful deliveries."""


class Redelivered(BaseModel):
    """The result of a redelivery."""

    deliveries: Annotated[int, Field(ge=0)]
