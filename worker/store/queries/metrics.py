"""Metrics of the whole installation at one moment. Read-only, and never reads the full history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, Connection, String, func, literal_column, select

from api_models.status import TERMINAL, JobStatus
from api_models.verdict import VerdictKind
from worker.store import account, workers
from worker.store.money import balances
from worker.store.queries import counters
from worker.store.queries import jobs as job_queries
from worker.store.queries.holds import STALE_SECONDS
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.webhooks import Delivery
from worker.store.tables.workers import Worker
from worker.store.transitions import dispatches

MAX_LANES: Final = 1_000
"""Lanes whose first job is looked at for the age of the queue: reading all queued jobs would grow with them."""
_DROPPED: Final = select(func.coalesce(func.sum(Worker.dropped_messages), 0))
QUANTILES: Final = (0.5, 0.9, 0.99)
RECENT: Final = timedelta(days=1)
_NO_CALL: Final = (VerdictKind.CACHED, VerdictKind.RELEASED, VerdictKind.LOST)
_OPEN_DELIVERY: Final = Delivery.state.in_(
    [literal_column(f"'{state}'", String) for state in ("pending", "sent", "sending")]
)


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    jobs: Mapping[JobStatus, int]
    """Finished states: of the last day."""
    queue_age_seconds: float
    verdicts: Mapping[str, int]
    limited_share: float
    attempt_seconds: Mapping[float, float]
    call_seconds: Mapping[float, float]
    upload_seconds: Mapping[float, float]
    spent: Decimal
    rpm: float | None
    balance: Decimal | None
    closed_gates: Sequence[tuple[str, str]]
    workers: int
    slots: int
    dropped_messages: int
    """Of all workers whose rows are kept, since each one's start."""
    deliveries: Mapping[str, int]
    delivery_age_seconds: float


def snapshot(connection: Connection, *, now: datetime, window: timedelta) -> QueueSnapshot:
    """Read all metrics. Each part uses an index and reads unfinished or recent rows only."""
    attempts = connection.execute(
        select(
            Attempt.verdict, Attempt.started_at, Attempt.finished_at, Attempt.cost, Attempt.call_ms, Attempt.upload_ms
        ).where(Attempt.finished_at >= now - window)
    ).all()
    verdicts = Counter[str](row.verdict for row in attempts)
    calls = [row for row in attempts if row.verdict not in _NO_CALL]
    balance = balances.last(connection)
    limit = now - timedelta(seconds=STALE_SECONDS)
    alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
    return QueueSnapshot(
        jobs=_jobs(connection, now),
        queue_age_seconds=queue_age(connection, now),
        verdicts=verdicts,
        limited_share=verdicts[VerdictKind.PACE] / len(calls) if calls else 0.0,
        attempt_seconds=_quantiles([(row.finished_at - row.started_at).total_seconds() for row in calls]),
        call_seconds=_quantiles([row.call_ms / 1000 for row in attempts if row.call_ms is not None]),
        upload_seconds=_quantiles([row.upload_ms / 1000 for row in attempts if row.upload_ms is not None]),
        spent=sum((row.cost for row in attempts), Decimal(0)),
        rpm=account.load_pace(connection).rpm,
        balance=None if balance is None else balance.remaining,
        closed_gates=[(gate.name, gate.code) for gate in account.closed_gates(connection)],
        workers=len(alive),
        slots=sum(member.slots for member in alive),
        dropped_messages=int(connection.execute(_DROPPED).scalar_one()),
        deliveries=_deliveries(connection, now),
        delivery_age_seconds=_age(
            connection.execute(select(func.min(Delivery.created_at)).where(_OPEN_DELIVERY)).scalar(), now
        ),
    )


def queue_age(connection: Connection, now: datetime, *, most: int = MAX_LANES) -> float:
    """Return the age of the oldest job that may start: of the first jobs of the most urgent lanes."""
    lanes = dispatches.lanes(connection, most=most)
    return max(0.0, now.timestamp() - min((lane.since for lane in lanes), default=now.timestamp()))


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


def _quantiles(seconds: list[float]) -> dict[float, float]:
    ordered = sorted(seconds)
    return {quantile: ordered[int(quantile * (len(ordered) - 1))] for quantile in QUANTILES} if ordered else {}
