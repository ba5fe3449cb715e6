"""Dispatched to running: one worker takes one job, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Executable, Uuid, and_, bindparam, func, literal_column, select, tuple_, update

from api_models.formats import AudioFormat
from api_models.speech import Speech
from api_models.status import JobStatus
from worker.store import locks
from worker.store.states import in_flight_as, in_state
from worker.store.tables.jobs import Job
from worker.store.transitions.event_writer import HEARD


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in the hands of one worker, with everything that an attempt needs to know of it."""

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
    """Including this one."""
    takes_used: int
    worker_id: UUID
    started_at: datetime
    twin: UUID | None
    """A job that may already have bought this content."""
    copies: UUID | None = None
    """The job whose audio it was sent to copy: it may not buy."""
    request_id: str | None = None
    """What an earlier attempt submitted (v2): it is polled, and nothing is submitted again."""
    heard: bool = False
    """Somebody may want to hear of its end: the record writes an event."""
    audio_format: AudioFormat = AudioFormat.WAV
    """What its object is to be."""
    target_lufs: float | None = None
    """How loud it is to be made; None: as it comes."""
    traceparent: str | None = None
    """The trace that it belongs to, as W3C writes it."""
    extra: str | None = None
    """What its row of a sheet held beside the fields of a job, as a JSON object."""


# Written out, because SQLAlchemy's SQLite compiler leaves the table's name off inside RETURNING, subqueries included:
# the condition would compare a fingerprint with itself.
_TWIN = literal_column(
    "(SELECT bought.id FROM jobs AS bought"
    " WHERE bought.fingerprint = jobs.fingerprint AND bought.status = 'succeeded'"
    " AND bought.purged_at IS NULL LIMIT 1)",
    Uuid,
).label("twin")

_TURNS = and_(
    in_state(JobStatus.DISPATCHED),
    Job.id.in_(bindparam("jobs", expanding=True)),  # for a list of pairs alone, SQLite reads the whole table
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
    Job.traceparent,
    Job.extra,
    Job.follows,
    _TWIN,
    HEARD.label("heard"),
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
    """Take a dispatched job. `attempt` is the number its message carries; None when someone else was first."""
    return claim_all(connection, [(job_id, attempt)], worker_id=worker_id, now=now)[0]


def claim_all(
    connection: Connection, turns: Sequence[tuple[UUID, int]], *, worker_id: UUID, now: datetime
) -> list[Claim | None]:
    """Take several dispatched jobs in one statement; each is won or lost on its own."""
    statement = _CLAIM_ONE if len(turns) == 1 else _claim_several(connection.dialect.name)
    which = {"jobs": [job_id for job_id, _ in turns], "turns": turns}
    rows = connection.execute(statement, which | {"worker": worker_id, "now": now})
    won = {(row.id, row.attempt - 1): claimed(row, worker_id, now) for row in rows}
    # A message that came twice is answered once.
    return [won.pop(turn, None) for turn in turns]


def claimed(row: Any, worker_id: UUID, now: datetime) -> Claim:  # noqa: ANN401 - the row of a statement that names no type
    """A claim as a row of `CLAIM_COLUMNS` describes it."""
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
        heard=bool(row.heard),
        audio_format=AudioFormat(row.audio_format or AudioFormat.WAV),
        target_lufs=row.target_lufs,
        traceparent=row.traceparent,
        extra=row.extra,
    )


_OWNED = select(Job.id, Job.attempt).where(in_state(JobStatus.RUNNING), Job.id.in_(bindparam("jobs", expanding=True)))


def is_owned(connection: Connection, claimed: Claim) -> bool:
    """Whether the job is still this claim's: asked right before an upload, so a late worker overwrites nothing."""
    return are_owned(connection, [claimed])[0]


def are_owned(connection: Connection, claimed: Sequence[Claim]) -> list[bool]:
    """`is_owned` for several claims in one statement."""
    rows = connection.execute(_OWNED, {"jobs": [claim.job_id for claim in claimed]})
    owned = {(row.id, row.attempt) for row in rows}
    return [(claim.job_id, claim.attempt) in owned for claim in claimed]


def running_here(connection: Connection, worker_id: UUID) -> Sequence[UUID]:
    """The jobs that the database takes to be running on one worker."""
    return (
        connection.execute(select(Job.id).where(in_flight_as(JobStatus.RUNNING), Job.worker_id == worker_id))
        .scalars()
        .all()
    )


def status_of(connection: Connection, job_id: UUID) -> JobStatus | None:
    """Where a job stands; None when it is gone."""
    status = connection.execute(select(Job.status).where(Job.id == job_id)).scalar()
    return None if status is None else JobStatus(status)


def statuses(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, JobStatus]:
    """Where each of the jobs stands; those that the database doesn't know are left out."""
    rows = connection.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids)))
    return {job_id: JobStatus(status) for job_id, status in rows}


MAX_SOURCES: Final = 32
"""Of one content, so many jobs' audio is tried before the text is bought again."""


@dataclass(frozen=True, slots=True)
class Bought:
    """Audio that is already stored and recorded for some job."""

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


_HAS_AUDIO = and_(in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
_AUDIO = select(Job.fingerprint, *(getattr(Job, name) for name in Bought.__slots__)).where(
    Job.id.in_(bindparam("jobs", expanding=True)), _HAS_AUDIO
)
# The newest of each batch first: where a whole folder is gone, the next one is in another.
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
    """The recorded audio of those of the jobs that succeeded with this content."""
    rows = connection.execute(_AUDIO, {"jobs": list(job_ids)})
    # Compared here: a planner that reads all jobs with this content would be a long way off.
    return [Bought(*row[1:]) for row in rows if row[0] == content]


def bought_elsewhere(connection: Connection, content: str) -> list[Bought]:
    """The recorded audio of this content, at most `MAX_SOURCES`: the newest of each batch, then older ones."""
    return [Bought(*row) for row in connection.execute(_ELSEWHERE, {"content": content})]


_THEIRS = in_state(JobStatus.RUNNING) & (Job.attempt == bindparam("number"))
# A worker that comes late has submitted all the same. Where nobody else did, its handle is what the next one polls.
_NOBODYS = Job.request_id.is_(None) & ~in_state(JobStatus.SUCCEEDED)
_KEEP = update(Job).where(Job.id == bindparam("job"), _THEIRS | _NOBODYS).values(request_id=bindparam("handle"))


def keep(connection: Connection, submitted: Sequence[tuple[Claim, str]]) -> None:
    """Write down the handles of requests that were just submitted.

    The attempt that has the job overrules whatever stands there. One that had it before only fills an empty place.
    """
    in_order = sorted(submitted, key=lambda one: one[0].job_id)  # as in `locks`: it may wait for a row and hold others
    values = [{"job": claim.job_id, "number": claim.attempt, "handle": handle} for claim, handle in in_order]
    connection.execute(_KEEP, values)
