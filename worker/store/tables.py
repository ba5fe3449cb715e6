"""The tables. Their shape changes only through a migration; a test holds the two together on both databases."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api_models.status import JobStatus
from worker.store.types import Instant, Money

NO_LANE: Final = UUID(int=0)
"""The lane of jobs that belong to no batch."""


class Base(DeclarativeBase):
    """All tables hang here; the names of constraints are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: Instant(),
        Decimal: Money(),
        UUID: Uuid(),
        str: Text(),
    }


class Batch(Base):
    """Jobs that were handed in together."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    """What people call it: the input's file name."""
    resume_key: Mapped[str | None] = mapped_column(String(64))
    """What makes the same command find its batch again; unique for a tenant."""
    output_url: Mapped[str | None]
    """Where this batch's audio goes; None for the place in the settings."""
    total: Mapped[int]
    created_at: Mapped[datetime]
    max_cost: Mapped[Decimal | None]
    """What its calls may cost altogether; the rest of its jobs is held, never failed. None: no limit."""
    spent: Mapped[Decimal] = mapped_column(server_default=sql("0"))
    """What the ledger's rows of this batch add up to, as far as the dispatcher has read them."""

    __table_args__ = (
        Index("uq_batches_resume_key", "tenant", "resume_key", unique=True),
        Index("ix_batches_created_at", "created_at"),
    )


class Job(Base):
    """One text to be spoken. While it runs, the row itself is the note that a call may be under way and paid for."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    lane: Mapped[UUID]
    """Whose turn it takes in the queue: its batch, or `NO_LANE`."""
    custom_id: Mapped[str | None]
    line: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(10))
    priority: Mapped[int] = mapped_column(SmallInteger)
    not_before: Mapped[datetime | None]
    deadline: Mapped[datetime | None]

    model: Mapped[str] = mapped_column(String(64))
    text: Mapped[str]
    voice_1: Mapped[str | None] = mapped_column(String(32))
    voice_2: Mapped[str | None] = mapped_column(String(32))
    temperature: Mapped[float | None] = mapped_column(Float)
    fingerprint: Mapped[str] = mapped_column(String(64))
    use_cache: Mapped[bool]

    attempt: Mapped[int]
    """The number of the latest claim. It only grows, so a late worker's number never fits again."""
    attempts_used: Mapped[int]
    """Claims that count against the limit of attempts."""
    takes_used: Mapped[int]
    """Paid takes that turned out bad."""
    recover: Mapped[bool]
    """An earlier attempt may have left its audio somewhere: look before paying again."""
    worker_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    """What was submitted for this job (v2) and is to be polled before anything is submitted again."""

    created_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    code: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None]
    detail: Mapped[str | None]
    cost: Mapped[Decimal]
    """What all attempts of this job have cost so far."""
    cached: Mapped[bool]

    uri: Mapped[str | None]
    content_type: Mapped[str | None] = mapped_column(String(64))
    audio_bytes: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    duration_ms: Mapped[int | None]
    peak_dbfs: Mapped[float | None] = mapped_column(Float)
    loudness_lufs: Mapped[float | None] = mapped_column(Float)
    silence_share: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(repr(str(status)) for status in JobStatus)})", name="status"),
        CheckConstraint("status <> 'running' OR worker_id IS NOT NULL", name="running_has_worker"),
        CheckConstraint("status <> 'scheduled' OR not_before IS NOT NULL", name="scheduled_has_time"),
        CheckConstraint(
            "status <> 'succeeded' OR (uri IS NOT NULL AND sha256 IS NOT NULL)", name="succeeded_has_audio"
        ),
        CheckConstraint("status <> 'failed' OR code IS NOT NULL", name="failed_has_code"),
        CheckConstraint(
            "(finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled', 'expired'))", name="finished"
        ),
        Index("uq_jobs_custom_id", "batch_id", "custom_id", unique=True),
        Index("ix_jobs_batch_status", "batch_id", "status"),
        # Each waiting state has an index of its own, so the dispatcher never reads past rows that are over.
        Index(
            "ix_jobs_queued",
            "priority",
            "tenant",
            "lane",
            "model",
            "id",
            postgresql_where=sql("status = 'queued'"),
            sqlite_where=sql("status = 'queued'"),
        ),
        Index(
            "ix_jobs_due",
            "not_before",
            postgresql_where=sql("status = 'scheduled'"),
            sqlite_where=sql("status = 'scheduled'"),
        ),
        Index(
            "ix_jobs_deadline",
            "deadline",
            postgresql_where=sql("deadline IS NOT NULL AND status IN ('scheduled', 'queued')"),
            sqlite_where=sql("deadline IS NOT NULL AND status IN ('scheduled', 'queued')"),
        ),
        Index(
            "ix_jobs_in_flight",
            "status",
            "worker_id",
            postgresql_where=sql("status IN ('dispatched', 'running')"),
            sqlite_where=sql("status IN ('dispatched', 'running')"),
        ),
        Index(
            "ix_jobs_bought",
            "fingerprint",
            postgresql_where=sql("status = 'succeeded'"),
            sqlite_where=sql("status = 'succeeded'"),
        ),
    )


class Attempt(Base):
    """How one attempt of a job ended, and what it cost: the ledger. It outlives the job."""

    __tablename__ = "attempts"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[UUID | None]
    worker_id: Mapped[UUID | None]
    model: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    verdict: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str | None] = mapped_column(String(16))
    code: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None]
    detail: Mapped[str | None]
    reset_at: Mapped[datetime | None]
    request_id: Mapped[str | None]
    cost: Mapped[Decimal]
    cost_estimated: Mapped[bool]
    """The API named no cost; the registry's price stands in."""
    possibly_billed: Mapped[bool]
    """No clear answer came: the call may have been billed without our knowing."""
    remaining_credits: Mapped[Decimal | None]
    take_uri: Mapped[str | None]
    """Audio that this attempt kept outside the job's own object: a refused or late take."""
    noted: Mapped[bool]
    """The dispatcher has read it."""

    __table_args__ = (
        Index("ix_attempts_unnoted", "finished_at", postgresql_where=sql("NOT noted"), sqlite_where=sql("NOT noted")),
        Index("ix_attempts_finished_at", "finished_at"),
    )


class Worker(Base):
    """One worker process and its last sign of life."""

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    queue: Mapped[str]
    """The Celery queue it reads; a dispatcher counts only workers it can reach."""
    slots: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    stopping: Mapped[bool]
    stopped_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    """Why it can't take paid work just now, in words for people."""

    __table_args__ = (Index("ix_workers_stopped_at", "stopped_at"),)


class Lease(Base):
    """A duty that one process at a time holds, for as long as it renews."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[UUID]
    expires_at: Mapped[datetime]


class PaceRow(Base):
    """How fast the account may start calls; a new leader goes on where the old one stopped."""

    __tablename__ = "pace"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    rpm: Mapped[float | None] = mapped_column(Float)
    next_start_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    strikes: Mapped[int]
    """429s since the last success; the pauses grow with it."""
    message: Mapped[str | None]
    search: Mapped[str | None]
    """What the search for an unknown limit has learnt, as JSON."""


class GateRow(Base):
    """Something that holds jobs back: the account, a model or the storage. A row exists once it has ever closed."""

    __tablename__ = "gates"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16))
    model: Mapped[str | None] = mapped_column(String(64))
    closed: Mapped[bool]
    code: Mapped[str]
    message: Mapped[str]
    since: Mapped[datetime]
    next_probe_at: Mapped[datetime]
    probes: Mapped[int]


class BalanceRow(Base):
    """What is left in the account, as an answer of the API last said."""

    __tablename__ = "balances"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    remaining: Mapped[Decimal]
    seen_at: Mapped[datetime]
    low: Mapped[bool]
    """It has been said that the balance is low; said again only after it had recovered."""


class Tenant(Base):
    """Somebody whose jobs are kept apart from others'. A row exists only for one who has settings of its own."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    monthly_budget: Mapped[Decimal | None]
    """What the calls of a calendar month (UTC) may cost; the rest is held until the next month. None: no limit."""


class TenantMonth(Base):
    """What one tenant's calls have cost in one calendar month (UTC), as far as the dispatcher has read the ledger."""

    __tablename__ = "tenant_months"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    """Such as 2026-11."""
    spent: Mapped[Decimal]


class EventRow(Base):
    """Something that happened once and that somebody may want to hear of. Rows are only ever added."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(40))
    """Such as `account.held`."""
    tenant: Mapped[str | None] = mapped_column(String(64))
    """Whom it concerns; None for the whole account."""
    subject: Mapped[str]
    """What it is about: a gate's name, a job's or a batch's id."""
    data: Mapped[str]
    """The rest, as a JSON object."""

    __table_args__ = (Index("ix_events_at", "at"),)
