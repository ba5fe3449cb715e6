"""Dispatched to running: one worker claims one job, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Executable, Uuid, and_, bindparam, func, literal_column, select, tuple_, update

from api_models.encodings import NO_TAGS, AudioTags
from api_models.formats import AudioFormat
from api_models.speech import Speech
from api_models.status import JobStatus
from api_models.timings import Timings
from worker.store import locks
from worker.store.states import in_flight_as, in_state
from worker.store.tables.jobs import Job
from worker.store.transitions.event_writer import HAS_SUBSCRIBER


@dataclass(frozen=True, slots=True)
class Claim:
    job_id: UUID
    attempt: int
    tenant: str
    batch_id: UUID | None
    custom_id: str | None
    line: int | None
    speech: Speech
    fingerprint: str
    use_cache: bool
    recover: bool
    attempts_used: int
    takes_used: int
    worker_id: UUID
    started_at: datetime
    twin: UUID | None
    """A job that may already have bought this content."""
    copies: UUID | None = None
    """The job whose audio it must copy: this one may not buy."""
    request_id: str | None = None
    """What an earlier attempt submitted (v2): it is polled, and nothing else is submitted."""
    has_subscriber: bool = False
    """Settling it must write an event."""
    audio_format: AudioFormat = AudioFormat.WAV
    target_lufs: float | None = None
    """None to leave the loudness unchanged."""
    sample_rate: int | None = None
    """Hz; None to leave it unchanged."""
    mp3_bitrate: int | None = None
    """kbit/s."""
    audio_tags: AudioTags = NO_TAGS
    traceparent: str | None = None
    extra: str | None = None
    parts: int | None = None
    """The number of its parts, if it is a document: it joins their takes and may not buy."""
    parent: UUID | None = None
    """The document that it is a part of."""
    timings: Timings = Timings.NONE
    provenance: bool = False


# Literal SQL, because SQLAlchemy's SQLite compiler omits the table's name inside RETURNING, subqueries included: the
# condition would compare a fingerprint with itself.
_TWIN = literal_column(
    "(SELECT bought.id FROM jobs AS bought"
    " WHERE bought.fingerprint = jobs.fingerprint AND bought.status = 'succeeded'"
    " AND bought.purged_at IS NULL LIMIT 1)",
    Uuid,
).label("twin")

_TURNS = and_(
    in_state(JobStatus.DISPATCHED),
    Job.id.in_(bindparam("jobs", expanding=True)),  # for a list of pairs alone, SQLite scans the whole table
    tuple_(Job.id, Job.attempt).in_(bindparam("turns", expanding=True)),
)
CLAIM_COLUMNS: Final = (
    Job.id,
    Job.attempt,
    Job.tenant,
    Job.batch_id,
    Job.custom_id,
    Job.line,
    Job.model,
    Job.text,
    Job.voice_1,
    Job.voice_2,
    Job.temperature,
    Job.fingerprint,
    Job.use_cache,
    Job.recover,
    Job.attempts_used,
    Job.takes_used,
    Job.request_id,
    Job.audio_format,
    Job.target_lufs,
    Job.sample_rate,
    Job.mp3_bitrate,
    Job.audio_tags,
    Job.traceparent,
    Job.extra,
    Job.parts,
    Job.parent,
    Job.timings,
    Job.provenance,
    Job.follows,
    _TWIN,
    HAS_SUBSCRIBER.label("has_subscriber"),
)
_CLAIM = (
    update(Job)
    .values(
        status=JobStatus.RUNNING,
        attempt=Job.attempt + 1,
        attempts_used=Job.attempts_used + 1,
        worker_id=bindparam("worker"),
        started_at=bindparam("now"),
    )
    .returning(*CLAIM_COLUMNS)
)


_CLAIM_ONE = _CLAIM.where(_TURNS)


@cache
def _claim_several(dialect: str) -> Executable:
    return _CLAIM.where(locks.in_order(dialect, _TURNS))


def claim(connection: Connection, job_id: UUID, attempt: int, *, worker_id: UUID, now: datetime) -> Claim | None:
    """Claim a dispatched job. `attempt` is the number in its message. Returns None if another worker was first."""
    return claim_all(connection, [(job_id, attempt)], worker_id=worker_id, now=now)[0]


def claim_all(
    connection: Connection, turns: Sequence[tuple[UUID, int]], *, worker_id: UUID, now: datetime
) -> list[Claim | None]:
    """Claim several dispatched jobs in one statement; each is won or lost independently."""
    statement = _CLAIM_ONE if len(turns) == 1 else _claim_several(connection.dialect.name)
    which = {"jobs": [job_id for job_id, _ in turns], "turns": turns}
    rows = connection.execute(statement, which | {"worker": worker_id, "now": now})
    won = {(row.id, row.attempt - 1): claimed(row, worker_id, now) for row in rows}
    # A duplicate message gets None.
    return [won.pop(turn, None) for turn in turns]


def claimed(row: Any, worker_id: UUID, now: datetime) -> Claim:  # noqa: ANN401 - the row of a statement that names no type
    return Claim(
        job_id=row.id,
        attempt=row.attempt,
        tenant=row.tenant,
        batch_id=row.batch_id,
        custom_id=row.custom_id,
        line=row.line,
        speech=Speech.model_construct(
            text=row.text, model=row.model, voice_1=row.voice_1, voice_2=row.voice_2, temperature=row.temperature
        ),
        fingerprint=row.fingerprint,
        use_cache=row.use_cache,
        recover=row.recover,
        attempts_used=row.attempts_used,
        takes_used=row.takes_used,
        worker_id=worker_id,
        started_at=now,
        twin=row.twin if row.use_cache else None,
        copies=row.follows if row.use_cache else None,
        request_id=row.request_id,
        has_subscriber=bool(row.has_subscriber),
        audio_format=AudioFormat(row.audio_format or AudioFormat.WAV),
        target_lufs=row.target_lufs,
        sample_rate=row.sample_rate,
        mp3_bitrate=row.mp3_bitrate,
        audio_tags=AudioTags.read(row.audio_tags) if row.audio_tags else NO_TAGS,
        traceparent=row.traceparent,
        extra=row.extra,
        parts=row.parts,
        parent=row.parent,
        timings=Timings(row.timings or Timings.NONE),
        provenance=bool(row.provenance),
    )


def note_provenance(connection: Connection, claimed: Claim) -> None:
    """Record that a file of the job's provenance is stored, though the job did not ask for one."""
    connection.execute(update(Job).where(Job.id == claimed.job_id).values(provenance=True))


_OWNED = select(Job.id, Job.attempt).where(in_state(JobStatus.RUNNING), Job.id.in_(bindparam("jobs", expanding=True)))


def is_owned(connection: Connection, claimed: Claim) -> bool:
    """Whether the claim still holds the job. Checked before an upload, so that a late worker overwrites nothing."""
    return are_owned(connection, [claimed])[0]


def are_owned(connection: Connection, claimed: Sequence[Claim]) -> list[bool]:
    rows = connection.execute(_OWNED, {"jobs": [claim.job_id for claim in claimed]})
    owned = {(row.id, row.attempt) for row in rows}
    return [(claim.job_id, claim.attempt) in owned for claim in claimed]


def running_here(connection: Connection, worker_id: UUID) -> Sequence[UUID]:
    return (
        connection.execute(select(Job.id).where(in_flight_as(JobStatus.RUNNING), Job.worker_id == worker_id))
        .scalars()
        .all()
    )


def status_of(connection: Connection, job_id: UUID) -> JobStatus | None:
    status = connection.execute(select(Job.status).where(Job.id == job_id)).scalar()
    return None if status is None else JobStatus(status)


def statuses(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, JobStatus]:
    rows = connection.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids)))
    return {job_id: JobStatus(status) for job_id, status in rows}


MAX_SOURCES: Final = 32
"""How many jobs' audio is tried for one content before the text is bought again."""


@dataclass(frozen=True, slots=True)
class Bought:
    tenant: str
    batch_id: UUID | None
    uri: str
    content_type: str
    audio_bytes: int
    sha256: str
    duration_ms: int
    cost: Decimal
    peak_dbfs: float | None = None
    loudness_lufs: float | None = None
    silence_share: float | None = None
    audio_tags: str | None = None


_HAS_AUDIO = and_(in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
_AUDIO = select(Job.fingerprint, *(getattr(Job, name) for name in Bought.__slots__)).where(
    Job.id.in_(bindparam("jobs", expanding=True)), _HAS_AUDIO
)
# The newest of each batch first: if a whole folder is missing, the next candidate is in another one.
_IN_ITS_LANE = func.row_number().over(partition_by=Job.lane, order_by=Job.id.desc()).label("place")
_ALIKE = (
    select(Job.id, *(getattr(Job, name) for name in Bought.__slots__), _IN_ITS_LANE)
    .where(Job.fingerprint == bindparam("content"), _HAS_AUDIO)
    .subquery()
)
_ELSEWHERE = (
    select(*(_ALIKE.c[name] for name in Bought.__slots__))
    .order_by(_ALIKE.c.place, _ALIKE.c.id.desc())
    .limit(MAX_SOURCES)
)


def bought(connection: Connection, job_ids: Collection[UUID], content: str) -> list[Bought]:
    rows = connection.execute(_AUDIO, {"jobs": list(job_ids)})
    # Compared here, because a condition on `content` can make the planner read all jobs that share it.
    return [Bought(*row[1:]) for row in rows if row[0] == content]


def pinned(connection: Connection, content: str) -> list[Bought]:
    """Return the take of this content that a listener chose for a document's part, if there is one."""
    which = (Job.fingerprint == content) & Job.pinned.is_(True) & _HAS_AUDIO
    columns = (getattr(Job, name) for name in Bought.__slots__)
    return [Bought(*row) for row in connection.execute(select(*columns).where(which).order_by(Job.id.desc()).limit(1))]


def bought_elsewhere(connection: Connection, content: str) -> list[Bought]:
    """Return at most `MAX_SOURCES` recorded takes of this content: the newest of each batch, then older ones."""
    return [Bought(*row) for row in connection.execute(_ELSEWHERE, {"content": content})]


_THEIRS = in_state(JobStatus.RUNNING) & (Job.attempt == bindparam("number"))
# A worker that has lost the job may still have submitted a request. If no other was submitted, the next attempt polls
# it.
_UNOWNED = Job.request_id.is_(None) & ~in_state(JobStatus.SUCCEEDED)
_KEEP = update(Job).where(Job.id == bindparam("job"), _THEIRS | _UNOWNED).values(request_id=bindparam("handle"))


def keep(connection: Connection, submitted: Sequence[tuple[Claim, str]]) -> None:
    """Store the handles of requests that were just submitted.

    The attempt that owns the job overwrites any other handle. A previous owner only fills an empty field.
    """
    in_order = sorted(
        submitted, key=lambda one: one[0].job_id
    )  # as in `locks`: it may wait for a row while holding others
    values = [{"job": claim.job_id, "number": claim.attempt, "handle": handle} for claim, handle in in_order]
    connection.execute(_KEEP, values)


_RELABEL = (
    update(Job)
    .where(Job.id == bindparam("job"), in_state(JobStatus.RUNNING), Job.attempt == bindparam("number"))
    .values(fingerprint=bindparam("content"))
)
_BOUGHT = (
    select(Job.id)
    .where(Job.fingerprint == bindparam("content"), in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
    .limit(1)
)


def relabel(connection: Connection, claim: Claim, fingerprint: str) -> UUID | None:
    """Correct the fingerprint of a running job whose audio comes from another API than its producer chose.

    Returns a job with the same audio to copy, if there is one.
    """
    connection.execute(_RELABEL, {"job": claim.job_id, "number": claim.attempt, "content": fingerprint})
    found: Any = connection.execute(_BOUGHT, {"content": fingerprint}).scalars().first()
    return found if claim.use_cache else None
