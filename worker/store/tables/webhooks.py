"""The outbox: events, endpoints, deliveries."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, Integer, String
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index
from worker.store.types import Foreign


class EventRow(Base):
    """Something that happened once and that somebody may want to hear of. Rows are only ever added."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(40))
    """Such as `account.held`."""
    tenant: Mapped[str | None] = mapped_column(Foreign(64))
    """Whom it concerns; None for the whole account."""
    subject: Mapped[str] = mapped_column(Foreign())
    """What it is about: a gate's name, a job's or a batch's id."""
    data: Mapped[str]
    """The rest, as a JSON object."""

    __table_args__ = (Index("ix_events_at", "at"),)


class Endpoint(Base):
    """Somebody who wants to hear of a tenant's events over HTTP."""

    __tablename__ = "endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    url: Mapped[str | None]
    """None for the one that stands for the callback addresses of the tenant's jobs and batches."""
    secret: Mapped[str]
    """Signing takes the secret itself, so it can't be kept as a hash."""
    old_secret: Mapped[str | None]
    """The one before, with which messages are signed as well until its time is over."""
    old_secret_until: Mapped[datetime | None]
    events: Mapped[str]
    """The types it wants to hear of, separated by blanks; empty: all."""
    ordered: Mapped[bool]
    """One at a time, in the order in which things happened; a message that fails holds up those behind it."""
    thin: Mapped[bool]
    """Messages name what they are about and say no more."""
    created_at: Mapped[datetime]
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]

    __table_args__ = (
        Index("ix_endpoints_tenant", "tenant"),
        Index(
            "uq_endpoints_callbacks",
            "tenant",
            unique=True,
            postgresql_where=sql("url IS NULL"),
            sqlite_where=sql("url IS NULL"),
        ),
    )


class Delivery(Base):
    """One event on its way to one endpoint: the outbox. Its state says nothing of the job's."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"))
    url: Mapped[str | None]
    """The callback address; None: the endpoint's own."""
    state: Mapped[str] = mapped_column(String(10))
    next_at: Mapped[datetime | None]
    """When it is its turn; None while it stands behind another, or is over."""
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('pending', 'sent', 'sending', 'delivered', 'failed')", name="state"),
        Index("ix_deliveries_event", "endpoint_id", "event_id"),
        partial_index("ix_deliveries_open", "endpoint_id", "next_at", where="state IN ('pending', 'sent', 'sending')"),
        partial_index("ix_deliveries_due", "next_at", where="state IN ('pending', 'sent', 'sending')"),
        Index("ix_deliveries_finished_at", "finished_at"),
    )


class DeliveryTry(Base):
    """One request that carried a delivery, and what came back: the log that people look at."""

    __tablename__ = "delivery_tries"

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Float)
    status: Mapped[int | None]
    """None where no answer came."""
    request: Mapped[str]
    """The headers that were sent, without the signature, as a JSON object."""
    response: Mapped[str | None] = mapped_column(Foreign())
    """How the answer began."""
    error: Mapped[str | None] = mapped_column(Foreign())


class Cursor(Base):
    """How far somebody has read the events."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    """The id of the last event that was read."""
