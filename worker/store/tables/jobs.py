"""Batches, jobs, their counts, and the ledger of attempts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, SmallInteger, String
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from api_models.status import JobStatus
from worker.store.tables.base import VACUUM_EARLY, Base, partial_index
from worker.store.types import Finite, Foreign, Whole


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
    callback_url: Mapped[str | None]
    """Who is told, beside the tenant's endpoints, that all of its jobs are over."""
    notify: Mapped[bool | None]
    """As for its jobs."""
    paused_at: Mapped[datetime | None]
    """Since when none of its jobs may start."""
    finished_at: Mapped[datetime | None]
    """When its last job had ended and its result files were written; None again as soon as a job is tried again."""
    results_uri: Mapped[str | None]
    """The folder of its result files."""
    key_template: Mapped[str | None]
    """How its objects are named; None: as the settings have it."""

    __table_args__ = (
        Index("uq_batches_resume_key", "tenant", "resume_key", unique=True),
        Index("ix_batches_created_at", "created_at"),
        partial_index("ix_batches_unfinished", "id", where="finished_at IS NULL"),
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
    request_id: Mapped[str | None] = mapped_column(Foreign())
    """What was submitted for this job (v2) and is to be polled before anything is submitted again."""

    follows: Mapped[UUID | None]
    """The job in flight that buys the same content: this one waits for it, and then takes a copy.

    Of a dispatched or running job: the one whose audio it was sent to copy.
    """

    created_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    code: Mapped[str | None] = mapped_column(Foreign(64))
    message: Mapped[str | None] = mapped_column(Foreign())
    detail: Mapped[str | None] = mapped_column(Foreign())
    cost: Mapped[Decimal]
    """What all attempts of this job have cost so far."""
    cached: Mapped[bool]

    uri: Mapped[str | None]
    content_type: Mapped[str | None] = mapped_column(Foreign(64))
    audio_bytes: Mapped[int | None] = mapped_column(Whole)
    sha256: Mapped[str | None] = mapped_column(String(64))
    duration_ms: Mapped[int | None] = mapped_column(Whole)
    peak_dbfs: Mapped[float | None] = mapped_column(Finite)
    loudness_lufs: Mapped[float | None] = mapped_column(Finite)
    silence_share: Mapped[float | None] = mapped_column(Finite)

    tags: Mapped[str | None]
    """The producer's own words for it, each between two commas: `,news,evening,`."""
    callback_url: Mapped[str | None]
    """Who is told, beside the tenant's endpoints, that it is over."""
    notify: Mapped[bool | None]
    """Its end is written down as an event. Empty: only where its tenant has an endpoint that might want to hear."""
    key_id: Mapped[UUID | None]
    """The API key that handed it in, whose budget it uses."""
    traceparent: Mapped[str | None] = mapped_column(String(55))
    """The trace that it belongs to, as W3C writes it."""

    audio_format: Mapped[str | None] = mapped_column(String(8))
    """What its object is to be; None: WAV."""
    target_lufs: Mapped[float | None] = mapped_column(Float)
    """How loud its audio is to be made; None: as it comes."""
    expires_after: Mapped[int | None]
    """Seconds after its end for which its text and audio are kept; None: for ever."""
    purge_at: Mapped[datetime | None]
    """When they go. Worked out after its end."""
    purged_at: Mapped[datetime | None]
    """When they went: the row and the ledger stay."""
    extra: Mapped[str | None]
    """What its row of a sheet held beside the fields of a job, as a JSON object of texts: for the manifest."""

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
        Index("ix_jobs_tenant", "tenant", "id"),
        partial_index("ix_jobs_key", "key_id", where="key_id IS NOT NULL"),
        partial_index(
            "ix_jobs_key_open",
            "key_id",
            "status",
            where="key_id IS NOT NULL AND status IN ('scheduled', 'queued', 'dispatched', 'running')",
        ),
        # Each waiting state has an index of its own, so the dispatcher never reads past rows that are over.
        partial_index("ix_jobs_queued", "priority", "tenant", "lane", "model", "id", where="status = 'queued'"),
        partial_index("ix_jobs_due", "not_before", where="status = 'scheduled'"),
        partial_index(
            "ix_jobs_deadline", "deadline", where="deadline IS NOT NULL AND status IN ('scheduled', 'queued')"
        ),
        partial_index("ix_jobs_in_flight", "status", "worker_id", where="status IN ('dispatched', 'running')"),
        partial_index("ix_jobs_follows", "follows", where="follows IS NOT NULL"),
        partial_index(
            "ix_jobs_submitted", "fingerprint", where="request_id IS NOT NULL AND status IN ('scheduled', 'queued')"
        ),
        partial_index("ix_jobs_bought", "fingerprint", where="status = 'succeeded'"),
        partial_index("ix_jobs_to_date", "finished_at", where="expires_after IS NOT NULL AND purge_at IS NULL"),
        partial_index("ix_jobs_to_purge", "purge_at", where="purge_at IS NOT NULL AND purged_at IS NULL"),
        {"postgresql_with": VACUUM_EARLY},
    )


class Tally(Base):
    """How many jobs of one kind there are, on PostgreSQL; see `worker.store.queries.counters`."""

    __tablename__ = "tallies"

    lane: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    status: Mapped[str] = mapped_column(String(10), primary_key=True)
    cached: Mapped[bool] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """0 for the row that holds most of them; others hold a change each that isn't folded into it yet."""
    jobs: Mapped[int] = mapped_column(BigInteger)
    """Below zero in a change that took some away."""
    cost: Mapped[Decimal]
    began_at: Mapped[datetime]
    """When the first of them was handed in."""
    ended_at: Mapped[datetime | None]
    """When the last of them ended."""

    __table_args__ = (partial_index("ix_tallies_loose", "part", where="part > 0 OR jobs = 0"),)


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
    code: Mapped[str | None] = mapped_column(Foreign(64))
    message: Mapped[str | None] = mapped_column(Foreign())
    detail: Mapped[str | None] = mapped_column(Foreign())
    reset_at: Mapped[datetime | None]
    request_id: Mapped[str | None] = mapped_column(Foreign())
    cost: Mapped[Decimal]
    cost_estimated: Mapped[bool]
    """The API named no cost; the registry's price stands in."""
    possibly_billed: Mapped[bool]
    """No clear answer came: the call may have been billed without our knowing."""
    remaining_credits: Mapped[Decimal | None]
    call_ms: Mapped[int | None] = mapped_column(Whole)
    """How long the API took, polls included; None where it was not asked."""
    upload_ms: Mapped[int | None] = mapped_column(Whole)
    """How long the store took, the waits for it included; None where nothing was stored."""
    take_uri: Mapped[str | None]
    """Audio that this attempt kept outside the job's own object: a refused or late take."""
    noted: Mapped[bool]
    """The dispatcher has read it."""
    text_bytes: Mapped[int | None] = mapped_column(Whole)
    """How long the text was in UTF-8, which the job's row doesn't say once it was purged. None: of an older worker."""

    __table_args__ = (
        partial_index("ix_attempts_unnoted", "finished_at", where="NOT noted"),
        Index("ix_attempts_finished_at", "finished_at"),
        partial_index("ix_attempts_unclear", "tenant", "batch_id", where="possibly_billed"),
        {"postgresql_with": VACUUM_EARLY},
    )
