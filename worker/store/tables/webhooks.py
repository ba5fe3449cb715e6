"""The outbox: events, endpoints, deliveries."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, Integer, String, false
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index
from worker.store.types import Foreign


class EventRow(Base):
    """A fact that endpoints may subscribe to. Rows are never changed."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(40))
    tenant: Mapped[str | None] = mapped_column(Foreign(64))
    """None if it concerns the whole account."""
    subject: Mapped[str] = mapped_column(Foreign())
    """A gate's name, or the id of a job or a batch."""
    data: Mapped[str]

    __table_args__ = (
        Index("ix_events_at", "at"),
        partial_index("ix_events_tenant", "tenant", "id", where="tenant IS NOT NULL"),
        partial_index("ix_events_account", "id", where="tenant IS NULL"),
    )


class Endpoint(Base):
    __tablename__ = "endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    url: Mapped[str | None]
    """None for the endpoint that stands for the callback URLs of the tenant's jobs and batches."""
    secret: Mapped[str]
    """Stored in plain text, because signing needs the secret itself."""
    old_secret: Mapped[str | None]
    """The previous secret; messages are also signed with it until it expires."""
    old_secret_until: Mapped[datetime | None]
    events: Mapped[str]
    """Subscribed event types, separated by spaces; empty for all."""
    ordered: Mapped[bool]
    """Deliver one at a time in the order of events; a failing message holds up those behind it."""
    thin: Mapped[bool]
    created_at: Mapped[datetime]
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]
    flat: Mapped[bool] = mapped_column(server_default=false())
    """Messages repeat the fields of `data` at the first level."""
    header_name: Mapped[str | None] = mapped_column(String(64))
    header_value: Mapped[str | None] = mapped_column(String())
    """A shared secret that messages carry in that header."""

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
    """One event on its way to one endpoint. Independent of the job's state."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"))
    url: Mapped[str | None]
    """The callback URL; None for the endpoint's own."""
    state: Mapped[str] = mapped_column(String(10))
    next_at: Mapped[datetime | None]
    """When it is due; None while it is queued behind another delivery, or finished."""
    attempts: Mapped[int]
    claimed_with: Mapped[UUID | None]
    """While it is sent: the delivery that began the run it belongs to; None for that one itself."""
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
    __tablename__ = "delivery_tries"

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Float)
    status: Mapped[int | None]
    request: Mapped[str]
    """The headers sent, without the signature, as a JSON object."""
    response: Mapped[str | None] = mapped_column(Foreign())
    """The first part of the response body."""
    error: Mapped[str | None] = mapped_column(Foreign())


class Cursor(Base):
    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
