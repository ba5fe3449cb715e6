"""The console's sign-in links, sessions and log of actions; operations on many jobs; activity by the minute."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index


class ConsoleLink(Base):
    """A link that signs in once. Only the hash of its token is stored; the row is deleted when it is used."""

    __tablename__ = "console_links"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    scopes: Mapped[str]
    read_only: Mapped[bool]
    expires_at: Mapped[datetime]


class ConsoleSession(Base):
    """A browser that is signed in. Only the hash of its cookie is stored."""

    __tablename__ = "console_sessions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    """Who it is in the log of actions: the user who made the link, or the name of the API key."""
    scopes: Mapped[str]
    read_only: Mapped[bool]
    key_id: Mapped[UUID | None]
    """The API key that signed in; the session ends when it is revoked."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (Index("ix_console_sessions_expires_at", "expires_at"),)


class ConsoleAction(Base):
    """What was done in the console, by whom, to what. Rows are never changed."""

    __tablename__ = "console_actions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    tenant: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str]
    """An id, a name, or the filter of an operation."""
    detail: Mapped[str]

    __table_args__ = (Index("ix_console_actions_tenant", "tenant", "id"),)


class ConsoleView(Base):
    """A named filter of the list of jobs, shared by a tenant's sessions."""

    __tablename__ = "console_views"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    filter: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[datetime]


class Operation(Base):
    """One action on every job that a filter matches, carried out page by page by the leading worker."""

    __tablename__ = "operations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int | None]
    """The new priority, for the action `priority`."""
    filter: Mapped[str]
    """As it was typed."""
    frozen_at: Mapped[datetime]
    """Relative times of the filter count from here, and jobs submitted later are not touched."""
    state: Mapped[str] = mapped_column(String(10))
    matched: Mapped[int]
    """Jobs counted before confirmation; no more are changed."""
    price: Mapped[Decimal]
    """List price of the calls that it may cause."""
    changed: Mapped[int]
    examined: Mapped[int]
    """Matching jobs visited so far, changed or not."""
    position: Mapped[UUID | None]
    """The last job that was looked at in this pass; None before the first."""
    message: Mapped[str | None]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('counting', 'ready', 'running', 'aborted', 'finished', 'discarded')", name="state"),
        CheckConstraint("action IN ('retry', 'cancel', 'priority', 'delete')", name="action"),
        Index("ix_operations_tenant", "tenant", "id"),
        partial_index("ix_operations_open", "id", where="state IN ('counting', 'running')"),
    )


class Activity(Base):
    """What one tenant's calls did in one minute, summed from the ledger by the leading worker, for charts."""

    __tablename__ = "activity"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    finished: Mapped[int]
    """Jobs that got their audio, copies included."""
    refused: Mapped[int]
    """Calls that the API refused, or whose take was refused."""
    cost: Mapped[Decimal]
    wait_p50: Mapped[int]
    """Milliseconds from submission to the first start, half of the jobs waited less."""
    wait_p95: Mapped[int]

    __table_args__ = (Index("ix_activity_minute", "minute"),)
