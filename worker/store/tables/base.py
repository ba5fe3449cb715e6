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
from worker.store.types import Finite, Foreign, Instant, Money, Whole

NO_LANE: Final = UUID(int=0)
"""The lane of jobs that belong to no batch."""

VACUUM_EARLY: Final = {"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}
"""For tables whose rows change state: the dead ones stand at the front of the indexes that every tick reads."""


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
        Index(
            "ix_batches_unfinished",
            "id",
            postgresql_where=sql("finished_at IS NULL"),
            sqlite_where=sql("finished_at IS NULL"),
        ),
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
        Index(
            "ix_jobs_key",
            "key_id",
            postgresql_where=sql("key_id IS NOT NULL"),
            sqlite_where=sql("key_id IS NOT NULL"),
        ),
        Index(
            "ix_jobs_key_open",
            "key_id",
            "status",
            postgresql_where=sql("key_id IS NOT NULL AND status IN ('scheduled', 'queued', 'dispatched', 'running')"),
            sqlite_where=sql("key_id IS NOT NULL AND status IN ('scheduled', 'queued', 'dispatched', 'running')"),
        ),
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
            "ix_jobs_follows",
            "follows",
            postgresql_where=sql("follows IS NOT NULL"),
            sqlite_where=sql("follows IS NOT NULL"),
        ),
        Index(
            "ix_jobs_submitted",
            "fingerprint",
            postgresql_where=sql("request_id IS NOT NULL AND status IN ('scheduled', 'queued')"),
            sqlite_where=sql("request_id IS NOT NULL AND status IN ('scheduled', 'queued')"),
        ),
        Index(
            "ix_jobs_bought",
            "fingerprint",
            postgresql_where=sql("status = 'succeeded'"),
            sqlite_where=sql("status = 'succeeded'"),
        ),
        Index(
            "ix_jobs_to_date",
            "finished_at",
            postgresql_where=sql("expires_after IS NOT NULL AND purge_at IS NULL"),
            sqlite_where=sql("expires_after IS NOT NULL AND purge_at IS NULL"),
        ),
        Index(
            "ix_jobs_to_purge",
            "purge_at",
            postgresql_where=sql("purge_at IS NOT NULL AND purged_at IS NULL"),
            sqlite_where=sql("purge_at IS NOT NULL AND purged_at IS NULL"),
        ),
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

    __table_args__ = (
        Index(
            "ix_tallies_loose",
            "part",
            postgresql_where=sql("part > 0 OR jobs = 0"),
            sqlite_where=sql("part > 0 OR jobs = 0"),
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
        Index("ix_attempts_unnoted", "finished_at", postgresql_where=sql("NOT noted"), sqlite_where=sql("NOT noted")),
        Index("ix_attempts_finished_at", "finished_at"),
        Index(
            "ix_attempts_unclear",
            "tenant",
            "batch_id",
            postgresql_where=sql("possibly_billed"),
            sqlite_where=sql("possibly_billed"),
        ),
        {"postgresql_with": VACUUM_EARLY},
    )


class LaneTakes(Base):
    """How the paid takes of one lane came out: a lane whose every take is refused is held."""

    __tablename__ = "lane_takes"

    lane: Mapped[UUID] = mapped_column(primary_key=True)
    """As of a job: its batch, or `NO_LANE`."""
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    accepted: Mapped[bool]
    """A take was accepted since the lane was last resumed, or ever."""
    refused: Mapped[int]
    """Takes refused since the latest accepted one."""
    resumed: Mapped[bool]
    """It was held and resumed, and no take was accepted since: a few refused takes hold it again."""
    code: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None]
    """Of the latest refused take."""
    held_at: Mapped[datetime | None]
    """Since when none of its jobs may start."""

    __table_args__ = (
        Index(
            "ix_lane_takes_held",
            "held_at",
            postgresql_where=sql("held_at IS NOT NULL"),
            sqlite_where=sql("held_at IS NOT NULL"),
        ),
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
    output_url: Mapped[str | None]
    """Where its audio goes; None for the place in the settings."""


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
    tenant: Mapped[str | None] = mapped_column(Foreign(64))
    """Whom it concerns; None for the whole account."""
    subject: Mapped[str] = mapped_column(Foreign())
    """What it is about: a gate's name, a job's or a batch's id."""
    data: Mapped[str]
    """The rest, as a JSON object."""

    __table_args__ = (Index("ix_events_at", "at"),)


# What the gateway keeps: keys, idempotency, hooks, endpoints, and the outbox.


class ApiKey(Base):
    """A key that opens the HTTP API for one tenant. The key itself is stored nowhere."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    """What people call it."""
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the key, in hex."""
    prefix: Mapped[str] = mapped_column(String(16))
    """How the key begins: enough to know it by, far too little to use."""
    scopes: Mapped[str]
    """Separated by blanks."""
    rate: Mapped[int | None]
    """Requests a minute; None: no limit."""
    budget: Mapped[Decimal | None]
    """What the jobs handed in with it may cost altogether; None: no limit."""
    spent: Mapped[Decimal | None]
    """What the ledger's rows of its jobs add up to, as far as the dispatcher has read them; None until it was asked."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_api_keys_hash", "hash", unique=True), Index("ix_api_keys_tenant", "tenant"))


class IdempotencyKey(Base):
    """A request that must not be carried out twice, and what came of it: both are written, or neither."""

    __tablename__ = "idempotency_keys"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)


class Hook(Base):
    """An address at which another system's webhooks become jobs."""

    __tablename__ = "hooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    """The last part of its address; unique in the installation."""
    scheme: Mapped[str] = mapped_column(String(16))
    """How the sender proves who it is."""
    secret: Mapped[str]
    """Checking a signature takes the secret itself, so it can't be kept as a hash."""
    options: Mapped[str]
    """What else the scheme needs, such as a header's name, as a JSON object."""
    mapping: Mapped[str]
    """What makes jobs of a payload, as a JSON object."""
    created_at: Mapped[datetime]

    __table_args__ = (Index("uq_hooks_name", "name", unique=True),)


class HookDelivery(Base):
    """One webhook that a hook has taken, by the name its sender gives it: a second one makes no second job."""

    __tablename__ = "hook_deliveries"

    hook_id: Mapped[UUID] = mapped_column(ForeignKey("hooks.id", ondelete="CASCADE"), primary_key=True)
    delivery: Mapped[str] = mapped_column(String(255), primary_key=True)
    received_at: Mapped[datetime]
    jobs: Mapped[int]
    """How many came of it."""

    __table_args__ = (Index("ix_hook_deliveries_received_at", "received_at"),)


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
        Index(
            "ix_deliveries_open",
            "endpoint_id",
            "next_at",
            postgresql_where=sql("state IN ('pending', 'sent', 'sending')"),
            sqlite_where=sql("state IN ('pending', 'sent', 'sending')"),
        ),
        Index(
            "ix_deliveries_due",
            "next_at",
            postgresql_where=sql("state IN ('pending', 'sent', 'sending')"),
            sqlite_where=sql("state IN ('pending', 'sent', 'sending')"),
        ),
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


# Back-office runs that come round by the clock.


class Schedule(Base):
    """Jobs that are handed in again and again, at the times that a cron expression gives."""

    __tablename__ = "schedules"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    cron: Mapped[str]
    timezone: Mapped[str] = mapped_column(String(64))
    """Whose clock the expression means, by its IANA name."""
    source: Mapped[str]
    """Where the lines come from: the address of a file, or a query."""
    options: Mapped[str]
    """How they become jobs, as a JSON object. Of a producer's database it holds a variable's name, never an address."""
    catch_up_seconds: Mapped[int]
    """A due time that nobody was there for is made up for, unless it is older than this."""
    created_at: Mapped[datetime]
    next_due_at: Mapped[datetime | None]
    """None once the expression has no time left."""
    paused_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_schedules_next_due_at", "next_due_at"),)


class ScheduleRun(Base):
    """One due time of a schedule. Its row is what makes it run once: it is written once, and ended with its batch."""

    __tablename__ = "schedule_runs"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    schedule: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    next_at: Mapped[datetime | None]
    """When somebody takes it up, or takes it up again from one who was not heard of since."""
    batch_id: Mapped[UUID | None]
    message: Mapped[str | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('due', 'running', 'done', 'failed', 'missed')", name="state"),
        Index(
            "ix_schedule_runs_open",
            "next_at",
            postgresql_where=sql("state IN ('due', 'running')"),
            sqlite_where=sql("state IN ('due', 'running')"),
        ),
    )
