"""Scheduled to queued to dispatched, and back when a message is lost: the dispatcher's statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from operator import eq
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Integer,
    ScalarSelect,
    String,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from api_models.status import JobStatus
from worker.store import locks, totals
from worker.store.states import IS_DOCUMENT, in_flight_as, in_state
from worker.store.tables.access import ApiKey
from worker.store.tables.account import LaneTakes, Tenant
from worker.store.tables.base import NO_LANE
from worker.store.tables.jobs import Batch, Job
from worker.store.transitions import event_writer, followers

ROWS_PER_STATEMENT = 1_000
"""Bulk changes are split, so that no statement holds its locks for long."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """A queue: jobs of the same priority, tenant, batch and model."""

    priority: int
    tenant: str
    lane: UUID
    model: str
    limited: bool = field(default=False, compare=False)
    since: float = field(default=0.0, compare=False)
    """When its first job was submitted, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Waiting:
    job_id: UUID
    attempt: int
    content: str | None = field(default=None, compare=False)
    copies: UUID | None = field(default=None, compare=False)
    """The job whose audio it must copy: this one may not buy."""


# Statements of every tick are built once: building one costs more than running it. None of them waits for a locked row:
# the tick holds locks as well, and waiting could deadlock.
@cache
def _promote(dialect: str) -> Update:
    due = in_state(JobStatus.SCHEDULED) & (Job.not_before <= bindparam("now"))
    return (
        update(Job)
        .where(locks.first_not_waiting(dialect, due, Job.not_before, ROWS_PER_STATEMENT))
        .values(status=JobStatus.QUEUED, follows=None)
    )


def promote(connection: Connection, *, now: datetime) -> int:
    return connection.execute(_promote(connection.dialect.name), {"now": now}).rowcount


def expire(connection: Connection, *, now: datetime) -> int:
    """Fail jobs that have not started by their deadline, unpaid. Returns how many.

    A job with a submitted request is paid for: it counts as started and is not expired. Documents expire by
    `documents.advance`.
    """
    ended = [
        (row.id, row.parent)
        for statement in _expire(connection.dialect.name)
        for row in connection.execute(statement, {"now": now})
    ]
    followers.release(connection, [job_id for job_id, _ in ended])
    whole = [job_id for job_id, parent in ended if parent is None]
    totals.jobs_ended(connection, JobStatus.EXPIRED, len(whole))
    event_writer.ended(connection, whole, now=now)
    return len(ended)


@cache
def _expire(dialect: str) -> tuple[ReturningUpdate[UUID, UUID | None], ...]:
    # Literally the predicate of a partial index, as in `in_flight_as`.
    waiting = Job.deadline.is_not(None) & in_state(JobStatus.SCHEDULED, JobStatus.QUEUED)
    due = Job.request_id.is_(None) & ~IS_DOCUMENT & (Job.deadline <= bindparam("now"))
    late = [state & due for state in (waiting, in_flight_as(JobStatus.DISPATCHED))]
    return tuple(
        update(Job)
        .where(locks.first_not_waiting(dialect, jobs, Job.deadline, ROWS_PER_STATEMENT))
        .values(
            status=JobStatus.EXPIRED,
            finished_at=bindparam("now"),
            worker_id=None,
            code="deadline",
            message="The job had not started by its deadline; nothing was paid.",
        )
        .returning(Job.id, Job.parent)
        for jobs in late
    )


_KEY = (Job.priority, Job.tenant, Job.lane, Job.model)
_QUEUED = aliased(Job, name="waiting")
_OLDEST = aliased(Job, name="oldest")


def _first(*conditions: ColumnElement[bool]) -> ScalarSelect[UUID]:
    """The first job in descending order. The index is read backwards, from lane to lane."""
    key = [getattr(_QUEUED, column.key) for column in _KEY]
    queued = _QUEUED.status == literal_column(f"'{JobStatus.QUEUED.value}'", String)
    return (
        select(_QUEUED.id)
        .where(queued, *conditions)
        .order_by(*(part.desc() for part in key))
        .limit(1)
        .scalar_subquery()
    )


def _after(lane: Sequence[ColumnElement[Any]], of: FromClause | None) -> ColumnElement[UUID]:
    """Restrict `_first` to the jobs after a lane. SQLite uses only the first column of a row comparison and would scan
    whole lanes.
    """
    key = [getattr(_QUEUED, column.key) for column in _KEY]
    steps = [_first(*map(eq, key[:known], lane[:known]), key[known] < lane[known]) for known in (3, 2, 1, 0)]
    return func.coalesce(*(step if of is None else step.correlate(of) for step in steps))


@cache
def _lanes(*, from_the_top: bool) -> Executable:
    """All lanes in one recursive statement, each found from the one before."""
    begin = [bindparam(f"after_{column.key}", type_=column.type) for column in _KEY]
    first = _first() if from_the_top else _after(begin, None)
    hop = select(*_KEY).where(Job.id == first).cte("hop", recursive=True)
    behind = _after(list(hop.c), hop)
    found = hop.union_all(select(*_KEY).select_from(hop).join(Job, Job.id == behind))
    limited = or_(
        exists().where(Batch.id == found.c.lane, Batch.max_cost.is_not(None)).correlate(found),
        exists().where(Tenant.name == found.c.tenant, Tenant.monthly_budget.is_not(None)).correlate(found),
        exists().where(ApiKey.tenant == found.c.tenant, ApiKey.budget.is_not(None)).correlate(found),
    )
    # Paused lanes are skipped before they are counted, so that they don't use up `most`. They are looked up one by
    # one: a join, which EXISTS may become, visits them in any order, up to `most`.
    paused_at = select(Batch.paused_at).where(Batch.id == found.c.lane).correlate(found).scalar_subquery()
    theirs = (getattr(LaneTakes, name) == found.c[name] for name in ("lane", "tenant", "model"))
    held_at = select(LaneTakes.held_at).where(*theirs).correlate(found).scalar_subquery()
    queued = _OLDEST.status == literal_column(f"'{JobStatus.QUEUED.value}'", String)
    its = (getattr(_OLDEST, column.key) == found.c[column.key] for column in _KEY)
    head = select(_OLDEST.id).where(queued, *its).order_by(_OLDEST.id).limit(1).correlate(found).scalar_subquery()
    least = select(*found.c, limited.label("limited"), head.label("head"))
    startable = least.where(paused_at.is_(None), held_at.is_(None)).limit(bindparam("most", type_=Integer)).subquery()
    return select(startable).order_by(*(startable.c[column.key].desc() for column in _KEY))


_FIRST_ID = UUID(int=0)
_HEADS = (
    select(Job.id, Job.attempt, case((Job.use_cache, Job.fingerprint)))
    .where(in_state(JobStatus.QUEUED), *(column == bindparam(f"its_{column.key}") for column in _KEY))
    .where(Job.id > bindparam("behind"))
    .order_by(Job.id)
    .limit(bindparam("most", type_=Integer))
)
# On PostgreSQL each statement is a round trip, which for a hundred lanes is most of a tick. The lanes are sent as
# arrays, in order.
_LANES = {column.key: ARRAY(column.type) for column in _KEY}
_EACH = (
    func.unnest(*(bindparam(f"of_{name}", type_=its_type) for name, its_type in _LANES.items()))
    .table_valued(*(Column(column.key, column.type) for column in _KEY), with_ordinality="place", name="each")
    .render_derived()
)
_MEMBER = aliased(Job, name="theirs")
_FIRST_OF_EACH = (
    select(_MEMBER.id, _MEMBER.attempt, case((_MEMBER.use_cache, _MEMBER.fingerprint)).label("content"))
    .where(
        _MEMBER.status == literal_column(f"'{JobStatus.QUEUED.value}'", String),
        *(getattr(_MEMBER, column.key) == _EACH.c[column.key] for column in _KEY),
    )
    .order_by(_MEMBER.id)
    .limit(bindparam("most", type_=Integer))
    .lateral("first")
)
_HEADS_OF_EACH = select(_EACH.c.place, *_FIRST_OF_EACH.c).select_from(_EACH.join(_FIRST_OF_EACH, true()))


def lanes(connection: Connection, *, most: int, after: Lane | None = None) -> list[Lane]:
    given = {"most": most} if after is None else {"most": most, **_named("after", after)}
    rows = connection.execute(_lanes(from_the_top=after is None), given)
    return [
        Lane(priority, tenant, lane, model, limited, _submitted_at(head))
        for priority, tenant, lane, model, limited, head in rows
    ]


def _submitted_at(job_id: UUID) -> float:
    return (job_id.int >> 80) / 1000


def heads(connection: Connection, lane: Lane, *, most: int, behind: UUID = _FIRST_ID) -> list[Waiting]:
    given = {**_named("its", lane), "most": most, "behind": behind}
    return [Waiting(*row) for row in connection.execute(_HEADS, given)]


def heads_of_each(connection: Connection, lanes: Sequence[Lane], *, most: int) -> dict[Lane, list[Waiting]]:
    if connection.dialect.name != "postgresql":
        return {lane: heads(connection, lane, most=most) for lane in lanes}
    given = {f"of_{name}": [getattr(lane, name) for lane in lanes] for name in _LANES}
    found: dict[Lane, list[Waiting]] = {lane: [] for lane in lanes}
    for place, *waiting in connection.execute(_HEADS_OF_EACH, {**given, "most": most}):
        found[lanes[place - 1]].append(Waiting(*waiting))
    return found


def _named(prefix: str, lane: Lane) -> dict[str, object]:
    return {
        f"{prefix}_priority": lane.priority,
        f"{prefix}_tenant": lane.tenant,
        f"{prefix}_lane": lane.lane,
        f"{prefix}_model": lane.model,
    }


def dispatch(connection: Connection, jobs: Sequence[UUID], *, worker_id: UUID | None, now: datetime) -> list[Waiting]:
    """Mark queued jobs as dispatched. Publish only those returned: the others were no longer queued.

    `worker_id` names the only worker that can receive the message, when the broker is inside its process.
    """
    if not jobs:
        return []
    rows = connection.execute(_dispatch(connection.dialect.name), {"jobs": list(jobs), "now": now, "worker": worker_id})
    return [Waiting(*row) for row in rows]


@cache
def _dispatch(dialect: str) -> ReturningUpdate[UUID, int]:
    # One array parameter, where supported: otherwise every number of jobs needs a query plan.
    as_array = Job.id == any_(bindparam("jobs", type_=ARRAY(Uuid())))
    these = as_array if dialect == "postgresql" else Job.id.in_(bindparam("jobs", expanding=True))
    return (
        update(Job)
        .where(locks.not_waiting(dialect, these & in_state(JobStatus.QUEUED)))
        .values(
            status=JobStatus.DISPATCHED, dispatched_at=bindparam("now"), worker_id=bindparam("worker"), follows=None
        )
        .returning(Job.id, Job.attempt)
    )


def set_apart(connection: Connection, lane: Lane, key_id: UUID) -> int:
    """Move an API key's queued jobs out of the lane shared by the tenant's jobs without a batch. Returns how many.

    Their key's budget holds them, and jobs behind them that it does not concern must not wait.
    """
    theirs = in_state(JobStatus.QUEUED) & (Job.key_id == key_id)
    shared = (lane.priority, lane.tenant, NO_LANE, lane.model)
    key = (column == value for column, value in zip(_KEY, shared, strict=True))
    which = locks.not_waiting(connection.dialect.name, and_(theirs, *key))
    return connection.execute(update(Job).where(which).values(lane=key_id)).rowcount


def take_back(connection: Connection, jobs: Sequence[UUID]) -> int:
    """Queue dispatched jobs again whose messages were never sent, or whose worker is stopping."""
    if not jobs:
        return 0
    sent = Job.id.in_(jobs) & in_state(JobStatus.DISPATCHED)
    return _queue_again(connection, locks.in_order(connection.dialect.name, sent))


def take_back_all(connection: Connection, *, worker_id: UUID) -> int:
    sent = in_flight_as(JobStatus.DISPATCHED) & (Job.worker_id == worker_id)
    return _queue_again(connection, locks.not_waiting(connection.dialect.name, sent))


def recall(connection: Connection, model: str | None) -> int:
    sent = in_flight_as(JobStatus.DISPATCHED)
    which = sent if model is None else sent & (Job.model == model)
    return _queue_again(connection, locks.not_waiting(connection.dialect.name, which))


def recall_batch(connection: Connection, batch_id: UUID) -> int:
    sent = in_flight_as(JobStatus.DISPATCHED) & (Job.batch_id == batch_id)
    return _queue_again(connection, locks.not_waiting(connection.dialect.name, sent))


def recall_lane(connection: Connection, lane: UUID, tenant: str, model: str) -> int:
    sent = in_flight_as(JobStatus.DISPATCHED) & (Job.lane == lane) & (Job.tenant == tenant) & (Job.model == model)
    return _queue_again(connection, locks.not_waiting(connection.dialect.name, sent))


def give_up_messages(connection: Connection, *, sent_before: datetime) -> int:
    """Queue dispatched jobs again that were not claimed in time: their messages count as lost. Returns how many."""
    sent = in_flight_as(JobStatus.DISPATCHED) & (Job.dispatched_at < sent_before)
    return _queue_again(connection, locks.not_waiting(connection.dialect.name, sent))


def _queue_again(connection: Connection, which: ColumnElement[bool]) -> int:
    return connection.execute(
        update(Job).where(which).values(status=JobStatus.QUEUED, worker_id=None, dispatched_at=None)
    ).rowcount
