"""Metrics of the whole installation at one moment. Read-only, and never reads the full history."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, Connection, String, func, literal_column, select
from sqlalchemy import text as sql

from api_models.status import IN_FLIGHT, TERMINAL, JobStatus
from api_models.verdict import VerdictKind
from worker.store import account, inbox, totals, workers
from worker.store.money import balances, budgets
from worker.store.money.budgets import Budget
from worker.store.queries import backlog, counters
from worker.store.queries import jobs as job_queries
from worker.store.queries.backlog import Backlog, Holds
from worker.store.queries.holds import STALE_SECONDS
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.webhooks import Delivery
from worker.store.tables.workers import Worker
from worker.store.totals import NO_CALL, Key, Name
from worker.store.transitions import dispatches
from worker.store.transitions.dispatches import Lane
from worker.store.workers import Member

MAX_LANES: Final = 1_000
"""Lanes whose first job is looked at for the age of the queue: reading all queued jobs would grow with them."""
RECENT: Final = timedelta(days=1)
HEADROOM: Final = 1.2
"""Factor of the useful slots over what pace and latency keep busy on average."""
DEFAULT_SECONDS: Final = 20.0
"""Assumed latency while no call has finished lately: that of the slowest model."""
_DROPPED: Final = select(func.coalesce(func.sum(Worker.dropped_messages), 0))
_UNCLEAR: Final = select(func.count()).where(sql("attempts.possibly_billed")).select_from(Attempt)
_OPEN_DELIVERY: Final = Delivery.state.in_(
    [literal_column(f"'{state}'", String) for state in ("pending", "sent", "sending")]
)


@dataclass(frozen=True, slots=True)
class BudgetUse:
    kind: str
    """`batch`, `key` or `tenant`."""
    name: str
    """The batch's or key's id, or the tenant's name."""
    used_ratio: float
    holds: bool


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    jobs: Mapping[JobStatus, int]
    """Finished states: of the last day."""
    totals: Mapping[Key, int]
    backlog: Backlog
    queue_age_seconds: float
    priority_queue_age_seconds: float
    useful_slots: int
    verdicts: Mapping[str, int]
    limited_share: float
    spent: Decimal
    possibly_billed: int
    rpm: float | None
    balance: Decimal | None
    budgets: Sequence[BudgetUse]
    closed_gates: Sequence[tuple[str, str]]
    has_leader: bool
    workers: int
    slots: int
    dropped_messages: int
    inbox: inbox.Backlog
    deliveries: Mapping[str, int]
    delivery_age_seconds: float


def snapshot(connection: Connection, *, now: datetime, window: timedelta) -> QueueSnapshot:
    """Read all metrics. Each part uses an index and reads unfinished or recent rows only."""
    attempts = connection.execute(
        select(Attempt.verdict, Attempt.started_at, Attempt.finished_at, Attempt.cost).where(
            Attempt.finished_at >= now - window
        )
    ).all()
    verdicts = Counter[str](row.verdict for row in attempts)
    calls = [(row.finished_at - row.started_at).total_seconds() for row in attempts if row.verdict not in NO_CALL]
    balance, pace = balances.last(connection), account.load_pace(connection)
    counted, limits = totals.read(connection), budgets.standings(connection, now=now)
    found = backlog.backlog(connection, backlog.holds(connection, {one.payer for one in limits if one.holds}, now=now))
    startable = startable_lanes(connection, found.holds)
    alive = _alive(connection, now)
    jobs = _jobs(connection, now)
    in_flight = sum(jobs.get(status, 0) for status in IN_FLIGHT)
    return QueueSnapshot(
        jobs=jobs,
        totals=counted,
        backlog=found,
        queue_age_seconds=queue_age(startable, now),
        priority_queue_age_seconds=queue_age([lane for lane in startable if lane.priority > 0], now),
        useful_slots=useful_slots(pace.rpm, slot_seconds(calls), found, in_flight),
        verdicts=verdicts,
        limited_share=verdicts[VerdictKind.PACE] / len(calls) if calls else 0.0,
        spent=sum((row.cost for row in attempts), Decimal(0)),
        possibly_billed=connection.execute(_UNCLEAR).scalar_one(),
        rpm=pace.rpm,
        balance=None if balance is None else balance.remaining,
        budgets=[_use(one) for one in limits],
        closed_gates=[(gate.name, gate.code) for gate in account.closed_gates(connection)],
        has_leader=workers.holder(connection, workers.DISPATCHER, now=now) is not None,
        workers=len(alive),
        slots=sum(member.slots for member in alive),
        dropped_messages=connection.execute(_DROPPED).scalar_one() + counted.get(Key(Name.DROPPED), 0),
        inbox=inbox.backlog(connection),
        deliveries=_deliveries(connection, now),
        delivery_age_seconds=_age(
            connection.execute(select(func.min(Delivery.created_at)).where(_OPEN_DELIVERY)).scalar(), now
        ),
    )


def useful_slots(rpm: float | None, seconds: float, found: Backlog, in_flight: int) -> int:
    """Return how many slots can be busy: more of them would wait for the pace, or for jobs.

    A pause of the pace ends soon and does not count as a hold here.
    """
    jobs = found.startable + found.held.get("pace", 0) + in_flight
    return jobs if rpm is None else math.ceil(min(rpm / 60 * seconds * HEADROOM, jobs))


def slot_seconds(calls: Sequence[float]) -> float:
    """Return the 95th percentile of the time that calls occupied their slots."""
    return sorted(calls)[math.ceil(0.95 * len(calls)) - 1] if calls else DEFAULT_SECONDS


def startable_lanes(connection: Connection, held: Holds, *, most: int = MAX_LANES) -> list[Lane]:
    """Return the most urgent lanes whose jobs could start, now or after a pause of the pace."""
    found = dispatches.lanes(connection, most=most)
    return [lane for lane in found if held.reason(lane.lane, lane.tenant, lane.model) in {None, "pace"}]


def queue_age(lanes: Sequence[Lane], now: datetime) -> float:
    """Return the age of the oldest job: of the first of each lane."""
    return max(0.0, now.timestamp() - min((lane.since for lane in lanes), default=now.timestamp()))


def _alive(connection: Connection, now: datetime) -> list[Member]:
    limit = now - timedelta(seconds=STALE_SECONDS)
    return [member for member in workers.present(connection) if member.heartbeat_at >= limit]


def _use(budget: Budget) -> BudgetUse:
    kind = "batch" if budget.batch_id is not None else "key" if budget.key_id is not None else "tenant"
    ratio = float(budget.used / budget.limit) if budget.limit else 1.0
    return BudgetUse(kind, str(budget.payer), ratio, budget.holds)


def _jobs(connection: Connection, now: datetime) -> dict[JobStatus, int]:
    """Unfinished states come from the tallies, or from the partial index of each state."""
    found: dict[JobStatus, int] = {}
    in_flight = in_state(JobStatus.DISPATCHED, JobStatus.RUNNING)
    for which in (in_state(JobStatus.SCHEDULED), in_state(JobStatus.QUEUED), in_flight):
        found.update(_open(connection, which))
    ended = connection.execute(
        select(Attempt.verdict, func.count(func.distinct(Attempt.job_id)))
        .where(Attempt.finished_at >= now - RECENT)
        .group_by(Attempt.verdict)
    ).all()
    by_verdict = {row[0]: row[1] for row in ended}
    good = (VerdictKind.SUCCESS, VerdictKind.CACHED)
    found[JobStatus.SUCCEEDED] = sum(by_verdict.get(verdict, 0) for verdict in good)
    failed = connection.execute(
        select(func.count(func.distinct(Attempt.job_id)))
        .join(Job, Job.id == Attempt.job_id)
        .where(Attempt.finished_at >= now - RECENT, in_state(JobStatus.FAILED))
    ).scalar_one()
    found[JobStatus.FAILED] = failed
    return {status: number for status, number in found.items() if number or status not in TERMINAL}


def _open(connection: Connection, which: ColumnElement[bool]) -> dict[JobStatus, int]:
    if counters.about(connection, which) is not None:
        return job_queries.counts(connection, which).by_status
    rows = connection.execute(select(Job.status, func.count()).where(which).group_by(Job.status))
    return {JobStatus(row[0]): row[1] for row in rows}


def _deliveries(connection: Connection, now: datetime) -> dict[str, int]:
    found: dict[str, int] = {}
    for which in (_OPEN_DELIVERY, Delivery.finished_at >= now - RECENT):
        rows = connection.execute(select(Delivery.state, func.count()).where(which).group_by(Delivery.state))
        found.update((row[0], row[1]) for row in rows)
    return found


def _age(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())
