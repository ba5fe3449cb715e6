"""Batches, jobs, documents, their counts, and the ledger of attempts."""

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
    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    resume_key: Mapped[str | None] = mapped_column(String(64))
    """Identifies the batch when the same command runs again; unique within a tenant."""
    output_url: Mapped[str | None]
    total: Mapped[int]
    created_at: Mapped[datetime]
    max_cost: Mapped[Decimal | None]
    """Maximum cost of its calls; further jobs are held, not failed. None for no limit."""
    spent: Mapped[Decimal] = mapped_column(server_default=sql("0"))
    """Sum of this batch's ledger rows that the dispatcher has read."""
    callback_url: Mapped[str | None]
    notify: Mapped[bool | None]
    paused_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    """When its last job had finished and its result files were written; None again once a job is retried."""
    results_uri: Mapped[str | None]
    key_template: Mapped[str | None]
    """How its objects are named; None for the template in the settings."""

    __table_args__ = (
        Index("uq_batches_resume_key", "tenant", "resume_key", unique=True),
        Index("ix_batches_created_at", "created_at"),
        partial_index("ix_batches_unfinished", "id", where="finished_at IS NULL"),
    )


class Job(Base):
    """One text to be spoken. While it runs, the row records that a call may be under way and paid for."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    lane: Mapped[UUID]
    """Its queue: the batch, or `NO_LANE`."""
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
    """The number of the latest claim. It only grows, so a late worker's number never matches again."""
    attempts_used: Mapped[int]
    """Claims that count against the limit of attempts."""
    takes_used: Mapped[int]
    """Paid takes that were refused."""
    recover: Mapped[bool]
    """An earlier attempt may have stored audio: look for it before paying again."""
    worker_id: Mapped[UUID | None]
    request_id: Mapped[str | None] = mapped_column(Foreign())
    """A request already submitted for this job (v2); it is polled before another one is submitted."""

    follows: Mapped[UUID | None]
    """While queued or scheduled: the job in flight that buys the same content; this one waits, then copies the audio.

    While dispatched or running: the job whose audio it must copy.
    """

    created_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    code: Mapped[str | None] = mapped_column(Foreign(64))
    message: Mapped[str | None] = mapped_column(Foreign())
    detail: Mapped[str | None] = mapped_column(Foreign())
    cost: Mapped[Decimal]
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
    """The producer's tags, each enclosed in commas: `,news,evening,`."""
    callback_url: Mapped[str | None]
    notify: Mapped[bool | None]
    key_id: Mapped[UUID | None]
    traceparent: Mapped[str | None] = mapped_column(String(55))

    audio_format: Mapped[str | None] = mapped_column(String(8))
    """Format of the stored object; None for WAV."""
    target_lufs: Mapped[float | None] = mapped_column(Float)
    """Target loudness; None to leave it unchanged."""
    sample_rate: Mapped[int | None]
    """Hz; None to leave it unchanged."""
    mp3_bitrate: Mapped[int | None]
    """kbit/s, constant; None for the encoder's variable default."""
    audio_tags: Mapped[str | None]
    """Title, artist, album and track of an MP3, as a JSON object; None if it has none."""
    expires_after: Mapped[int | None]
    """Seconds that its text and audio are kept after it has finished; None for no limit."""
    purge_at: Mapped[datetime | None]
    """When text and audio are removed. Computed after the job has finished."""
    purged_at: Mapped[datetime | None]
    """When they were removed; the row and the ledger remain."""
    extra: Mapped[str | None]
    """Columns of its sheet row that are not job fields, as a JSON object of strings, for the manifest."""

    wording: Mapped[str | None]
    """What the producer wrote, if the text was changed before it was planned, as JSON (`api_models.wording`)."""

    parts: Mapped[int | None]
    """The number of its parts, if it is a document: its own attempts join their takes. None for one call's text."""
    parent: Mapped[UUID | None]
    """The document that this job is a part of. Lists, counts, events and result files leave parts out."""
    part: Mapped[int | None]
    """Its place in the document, from 1."""
    chosen: Mapped[bool | None]
    """Whether the recording uses it: a part bought again has several jobs, of which one is chosen."""
    pinned: Mapped[bool | None]
    """Whether later versions of the document keep this take of the part."""
    provenance: Mapped[bool | None]
    """Whether a file beside its audio says where it is from."""
    timings: Mapped[str | None] = mapped_column(String(8))
    """How fine the times stored beside its audio are; None for none."""

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
        partial_index("ix_jobs_code", "code", "id", where="code IS NOT NULL"),
        # For pages by state, with the next one and that of jobs in flight; a job enters it twice.
        partial_index(
            "ix_jobs_pages",
            *("tenant", "status", "id"),
            where="parent IS NULL AND status IN ('scheduled', 'queued', 'succeeded')",
        ),
        partial_index(
            "ix_jobs_ended_pages",
            *("tenant", "status", "id"),
            where="parent IS NULL AND status IN ('failed', 'cancelled', 'expired')",
        ),
        # Each unfinished state has an index, so the dispatcher never reads past finished rows.
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
        partial_index("ix_jobs_parts", "parent", "part", where="parent IS NOT NULL"),
        partial_index("ix_jobs_documents", "status", "batch_id", where="parts IS NOT NULL"),
        {"postgresql_with": VACUUM_EARLY},
    )


class DocumentRow(Base):
    """What a document is made of, beside its job's row."""

    __tablename__ = "documents"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    plan: Mapped[str]
    """Titles, chapters and the places of the parts, as a JSON object. Empty once the text was removed."""
    style: Mapped[str]
    """How the parts are joined, as a JSON object."""
    sidecars: Mapped[str | None]
    """Files stored beside the recording, by kind, as a JSON object of their URIs; None before the first join."""


class Tally(Base):
    """The number of jobs of one kind, on PostgreSQL; see `worker.store.queries.counters`."""

    __tablename__ = "tallies"

    lane: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    status: Mapped[str] = mapped_column(String(10), primary_key=True)
    cached: Mapped[bool] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """0 for the row with the total; other rows hold changes that are not yet folded into it."""
    jobs: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (partial_index("ix_tallies_loose", "part", where="part > 0 OR jobs = 0"),)


class Attempt(Base):
    """How one attempt ended and what it cost: the ledger. It outlives the job."""

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
    """The API reported no cost; the list price is used."""
    possibly_billed: Mapped[bool]
    """No clear response arrived: the call may have been billed."""
    remaining_credits: Mapped[Decimal | None]
    call_ms: Mapped[int | None] = mapped_column(Whole)
    """Duration of the API call, polls included; None if there was no call."""
    upload_ms: Mapped[int | None] = mapped_column(Whole)
    """Duration of the upload, waits included; None if nothing was stored."""
    take_uri: Mapped[str | None]
    """Audio stored outside the job's own object: a refused or late take."""
    noted: Mapped[bool]
    """The dispatcher has read it."""
    text_bytes: Mapped[int | None] = mapped_column(Whole)
    """Length of the text in UTF-8, kept here because purging removes the text. None in rows of older workers."""

    __table_args__ = (
        partial_index("ix_attempts_unnoted", "finished_at", where="NOT noted"),
        Index("ix_attempts_finished_at", "finished_at"),
        partial_index("ix_attempts_unclear", "tenant", "batch_id", where="possibly_billed"),
        {"postgresql_with": VACUUM_EARLY},
    )
