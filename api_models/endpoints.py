"""Webhook endpoints and deliveries, as HTTP clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api_models.happenings import Happening


class EndpointIn(BaseModel):
    """A receiver of events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(min_length=8, max_length=2_000, examples=["https://example.org/hooks/speech"])]
    events: Annotated[tuple[Happening, ...], Field(max_length=len(Happening))] = ()
    """Event types to send; empty sends all."""
    ordered: bool = False
    """Deliver one event at a time, in order. A failed delivery holds up the following ones."""
    thin: bool = False
    """Send only the event type and the ids."""


class EndpointChange(BaseModel):
    """Fields to change; the rest is unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: Annotated[tuple[Happening, ...], Field(max_length=len(Happening))] | None = None
    ordered: bool | None = None
    thin: bool | None = None
    disabled: bool | None = None
    """False re-enables a disabled endpoint for new events."""


class EndpointView(BaseModel):
    """One endpoint."""

    id: UUID
    url: Annotated[str | None, Field(description="Null for the internal endpoint of your callback URLs.")]
    events: list[Happening]
    ordered: bool
    thin: bool
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
