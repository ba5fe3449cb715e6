"""Schedules and their runs."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index


class Schedule(Base):
    __tablename__ = "schedules"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    cron: Mapped[str]
    timezone: Mapped[str] = mapped_column(String(64))
    source: Mapped[str]
    options: Mapped[str]
    """How rows become jobs, as a JSON object. It holds the name of a database variable, never an address."""
    catch_up_seconds: Mapped[int]
    """A missed due time is made up for unless it is older than this."""
    created_at: Mapped[datetime]
    next_due_at: Mapped[datetime | None]
    """None once the expression has no further time."""
    paused_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_schedules_next_due_at", "next_due_at"),)


class ScheduleRun(Base):
    """One due time of a schedule. It is inserted once and finished in the transaction that submits its batch."""

    __tablename__ = "schedule_runs"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    schedule: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    next_at: Mapped[datetime | None]
    """When a worker picks it up, or picks it up again after its worker fell silent."""
    batch_id: Mapped[UUID | None]
    message: Mapped[str | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('due', 'running', 'done', 'failed', 'missed')", name="state"),
        partial_index("ix_schedule_runs_open", "next_at", where="state IN ('due', 'running')"),
    )
