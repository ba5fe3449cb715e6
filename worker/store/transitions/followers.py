"""Jobs that wait for another one to buy the same content: from queued to scheduled, and back when it has ended.

A job with a submitted request (v2) buys its content until it has finished: the call is paid for, and the next attempt
continues with it. In a paused or held lane no job waits for it.

A follower is an ordinary scheduled job: if it is never released, it starts after `PATIENCE_SECONDS`.

A dispatched or running job that names another one must copy its audio and may not buy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Update, and_, bindparam, exists, or_, select, union_all, update
from sqlalchemy import text as sql
from sqlalchemy.orm import aliased

from api_models.status import JobStatus
from worker.store import locks
from worker.store.states import in_state
from worker.store.tables.account import LaneTakes
from worker.store.tables.jobs import Batch, Job

PATIENCE_SECONDS: Final = 60.0
"""A follower starts after this time without being released. Longer than most calls, so that few start early."""
COPY_GONE: Final = "copy_gone"
"""The code of an attempt that found no audio to copy: its content has to be bought again."""

_FLYING = in_state(JobStatus.DISPATCHED, JobStatus.RUNNING)
# Literally as in the partial index: see `states`.
_FOLLOWS: Final = sql("jobs.follows IS NOT NULL")
# As in the partial index `ix_jobs_submitted`.
_SUBMITTED = and_(
    sql("jobs.request_id IS NOT NULL"),
    in_state(JobStatus.SCHEDULED, JobStatus.QUEUED),
    ~exists().where(Batch.id == Job.batch_id, Batch.paused_at.is_not(None)),
    ~exists().where(
        LaneTakes.lane == Job.lane,
        LaneTakes.tenant == Job.tenant,
        LaneTakes.model == Job.model,
        LaneTakes.held_at.is_not(None),
    ),
)
_BUYS = _FLYING & Job.follows.is_(None)
_CONTENTS = union_all(*(select(Job.fingerprint, Job.id).where(buying, Job.use_cache) for buying in (_SUBMITTED, _BUYS)))
_STILL = select(Job.id).where(or_(_FLYING, _SUBMITTED), Job.id.in_(bindparam("jobs", expanding=True)))
_THESE = select(Job.id).where(Job.id.in_(bindparam("jobs", expanding=True)))
# Audio due for removal counts as removed: the object may be removed before the row says so.
_WITH_AUDIO = _THESE.where(
    in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None), or_(Job.purge_at.is_(None), Job.purge_at > bindparam("now"))
)
_RESUMING = _THESE.where(
    Job.recover,
    in_state(JobStatus.SCHEDULED, JobStatus.QUEUED),
    ~exists().where(Batch.id == Job.batch_id, Batch.paused_at.is_not(None)),
)
_WANTED = select(Job.fingerprint).distinct().where(Job.id.in_(bindparam("jobs", expanding=True)))
_SENT_FOR_PER_COPY = (
    update(Job).where(Job.id == bindparam("job"), in_state(JobStatus.DISPATCHED)).values(follows=bindparam("bought_by"))
)
_ANYBODY = select(Job.id).where(_FOLLOWS).limit(1)


def in_flight(connection: Connection) -> dict[str, UUID]:
    """Map the fingerprint of each content being bought, or submitted, to the job that buys it."""
    return {fingerprint: job_id for fingerprint, job_id in connection.execute(_CONTENTS)}  # noqa: C416 - rows are no pairs to mypy


def still_buying(connection: Connection, jobs: Collection[UUID]) -> set[UUID]:
    return set(connection.execute(_STILL, {"jobs": list(jobs)}).scalars())


def with_audio(connection: Connection, jobs: Collection[UUID], *, now: datetime) -> set[UUID]:
    return set(connection.execute(_WITH_AUDIO, {"jobs": list(jobs), "now": now}).scalars())


def resuming(connection: Connection, jobs: Collection[UUID]) -> set[UUID]:
    """Return those of the jobs that will start again and look for bought audio."""
    return set(connection.execute(_RESUMING, {"jobs": list(jobs)}).scalars())


def contents(connection: Connection, jobs: Collection[UUID]) -> set[str]:
    return set(connection.execute(_WANTED, {"jobs": list(jobs)}).scalars())


def send_for_copies(connection: Connection, copiers: Mapping[UUID, UUID]) -> None:
    """Restrict dispatched jobs (keys) to copying the audio of the jobs they are mapped to."""
    if copiers:
        values = [{"job": job, "bought_by": copiers[job]} for job in sorted(copiers)]
        connection.execute(_SENT_FOR_PER_COPY, values)


def has_followers(connection: Connection) -> bool:
    return connection.execute(_ANYBODY).first() is not None


def follow(connection: Connection, leaders: Mapping[UUID, UUID], *, now: datetime) -> None:
    later = now + timedelta(seconds=PATIENCE_SECONDS)
    statement = _follow(connection.dialect.name)
    connection.execute(statement, [{"job": job, "leader": leaders[job], "later": later} for job in leaders])


@cache
def _follow(dialect: str) -> Update:
    waits = (Job.id == bindparam("job")) & in_state(JobStatus.QUEUED)
    return (
        update(Job)
        .where(locks.not_waiting(dialect, waits))
        .values(status=JobStatus.SCHEDULED, follows=bindparam("leader"), not_before=bindparam("later"))
    )


def release(connection: Connection, ended: Collection[UUID]) -> int:
    if not ended:
        return 0
    return connection.execute(_release(connection.dialect.name), {"ended": list(ended)}).rowcount


def release_from_cancelled(connection: Connection) -> int:
    return connection.execute(_release_from_cancelled(connection.dialect.name)).rowcount


@cache
def _release_from_cancelled(dialect: str) -> Update:
    leader = aliased(Job, name="leader")
    is_cancelled = exists().where(leader.id == Job.follows, leader.status == JobStatus.CANCELLED.value)
    return (
        update(Job)
        .where(locks.not_waiting(dialect, _FOLLOWS & in_state(JobStatus.SCHEDULED) & is_cancelled.correlate(Job)))
        .values(status=JobStatus.QUEUED, follows=None, not_before=None)
    )


@cache
def _release(dialect: str) -> Update:
    waiting = _FOLLOWS & Job.follows.in_(bindparam("ended", expanding=True)) & in_state(JobStatus.SCHEDULED)
    return (
        update(Job)
        .where(locks.not_waiting(dialect, waiting))
        .values(status=JobStatus.QUEUED, follows=None, not_before=None)
    )
