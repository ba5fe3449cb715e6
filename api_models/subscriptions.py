"""REST hooks, as Zapier and similar tools subscribe to one event type each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api_models.endpoints import SecretHeader
from api_models.happenings import Happening


class SubscriptionIn(SecretHeader):
    """One event type, sent flat to one address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_url: Annotated[str, Field(min_length=8, max_length=2_000, examples=["https://hooks.zapier.com/hooks/1/a"])]
    """Receives a POST for each event. Answering 410 ends the subscription."""
    event: Happening


class SubscriptionView(BaseModel):
    """One subscription."""

    id: UUID
    target_url: str
    event: Happening
    created_at: datetime


class SubscriptionList(BaseModel):
    """All subscriptions."""

    subscriptions: list[SubscriptionView]


class EventTypeView(BaseModel):
    """One event type."""

    event: Happening
    sample: dict[str, JsonValue]


class EventTypeList(BaseModel):
    """The event types that can be subscribed to."""

    events: list[EventTypeView]
