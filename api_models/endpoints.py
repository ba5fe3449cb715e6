"""Endpoints of webhooks and what was delivered to them, as HTTP clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api_models.happenings import Happening


class EndpointIn(BaseModel):
    """Somebody who wants to hear of events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(min_length=8, max_length=2_000, examples=["https://example.org/hooks/speech"])]
    events: Annotated[tuple[Happening, ...], Field(max_length=len(Happening))] = ()
    """The types to hear of; none: all."""
    ordered: bool = False
    """One at a time, in the order in which things happened. One that doesn't arrive holds up those behind it."""
    thin: bool = False
    """Messages name what they are about and say no more."""


class EndpointChange(BaseModel):
    """What is to be otherwise; the rest stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: Annotated[tuple[Happening, ...], Field(max_length=len(Happening))] | None = None
    ordered: bool | None = None
    thin: bool | None = None
    disabled: bool | None = None
    """False lets a disabled endpoint hear again, from now on."""


class EndpointView(BaseModel):
    """One endpoint."""

    id: UUID
    url: Annotated[str | None, Field(description="Null for the one that stands for your callback addresses.")]
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
    """With what messages are signed, as Standard Webhooks writes it."""

    secret: Annotated[str, Field(pattern="^whsec_")]
    old_secret_until: Annotated[
        datetime | None, Field(description="Until then messages carry a second signature, with the secret before.")
    ]


class TryView(BaseModel):
    """One request, and what came back."""

    number: int
    at: datetime
    seconds: float
    status: int | None
    request: dict[str, str]
    response: str | None
    error: str | None


class DeliveryView(BaseModel):
    """One event on its way to one endpoint."""

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
    """With every request that was made for it."""

    tries: list[TryView]


class DeliveryPage(BaseModel):
    """A part of the log of deliveries, the newest first."""

    deliveries: list[DeliveryView]
    next_cursor: Annotated[str | None, Field(description="Ask with `cursor` for what follows; null at the end.")]


class Redelivery(BaseModel):
    """Which deliveries are to be sent once more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: AwareDatetime
    until: AwareDatetime
    delivered: bool = False
    """Also those that arrived."""


class Redelivered(BaseModel):
    """What became of it."""

    deliveries: Annotated[int, Field(ge=0)]
