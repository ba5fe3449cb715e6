"""What each tenant's calls did, minute by minute: summed once from the ledger, so that charts read no long history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, delete, func, select

from api_models.verdict import VerdictKind
from worker.store import upserts
from worker.store.tables.console import Activity
from worker.store.tables.jobs import Attempt

MINUTE: Final = timedelta(minutes=1)
KEPT: Final = timedelta(days=8)
SHOWN: Final = timedelta(days=1)
SETTLING: Final = timedelta(seconds=30)
"""A minute is summed this long after its end: transactions that began in it have committed by then."""
_GOOD: Final = (VerdictKind.SUCCESS, VerdictKind.CACHED)
_NEUTRAL: Final = (VerdictKind.RELEASED, VerdictKind.LOST)


@dataclass(frozen=True, slots=True)
class Minute:
    tenant: str
    minute: datetime
    finished: int
    refused: int
    cost: Decimal
    wait_p50: int
    wait_p95: int


_COLUMNS: Final = tuple(getattr(Activity, name) for name in Minute.__slots__)
_LATEST: Final = select(func.max(Activity.minute))


def of_tenant(connection: Connection, tenant: str, *, since: datetime) -> list[Minute]:
    """Return the minutes in which something happened, oldest first."""
    which = (Activity.tenant == tenant, Activity.minute >= since)
    return [Minute(*row) for row in connection.execute(select(*_COLUMNS).where(*which).order_by(Activity.minute))]


def next_minute(connection: Connection, *, after: datetime | None, now: datetime) -> datetime | None:
    """Return the next minute to be summed: the first one with attempts that has settled; None if there is none."""
    latest = connection.execute(_LATEST).scalar()
    begin = max(one for one in (after, latest, _floor(now - SHOWN) - MINUTE) if one is not None) + MINUTE
    first = connection.execute(
        select(Attempt.finished_at).where(Attempt.finished_at >= begin).order_by(Attempt.finished_at).limit(1)
    ).scalar()
    return None if first is None or _floor(first) + MINUTE + SETTLING > now else _floor(first)


def sum_minute(connection: Connection, minute: datetime) -> int:
    """Sum one minute of the ledger. Repeating it changes nothing. Returns the number of attempts."""
    rows = connection.execute(
        select(Attempt.tenant, Attempt.verdict, Attempt.cost, Attempt.number, Attempt.job_id, Attempt.started_at).where(
            Attempt.finished_at >= minute, Attempt.finished_at < minute + MINUTE
        )
    ).all()
    by_tenant: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_tenant[row.tenant].append(row)
    for tenant, theirs in by_tenant.items():
        _write(connection, _summed(tenant, minute, theirs))
    return len(rows)


def forget(connection: Connection, *, now: datetime) -> None:
    connection.execute(delete(Activity).where(Activity.minute < now - KEPT))


def _summed(tenant: str, minute: datetime, rows: Sequence[Any]) -> Minute:
    waits = sorted(_wait_ms(row.job_id, row.started_at) for row in rows if row.number == 1)
    return Minute(
        tenant=tenant,
        minute=minute,
        finished=sum(row.verdict in _GOOD for row in rows),
        refused=sum(row.verdict not in {*_GOOD, *_NEUTRAL} for row in rows),
        cost=sum((row.cost for row in rows), Decimal(0)),
        wait_p50=_quantile(waits, 0.5),
        wait_p95=_quantile(waits, 0.95),
    )


def _write(connection: Connection, one: Minute) -> None:
    values = {name: getattr(one, name) for name in Minute.__slots__}
    changed = {name: value for name, value in values.items() if name not in {"tenant", "minute"}}
    connection.execute(
        upserts.insert(connection.dialect.name, Activity)
        .values(values)
        .on_conflict_do_update(index_elements=["tenant", "minute"], set_=changed)
    )


def _wait_ms(job_id: UUID, started_at: datetime) -> int:
    """A job's id begins with the milliseconds of its submission."""
    return min(max(0, int(started_at.timestamp() * 1000) - (job_id.int >> 80)), 2**31 - 1)


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def total_cost(minutes: Iterable[Minute]) -> Decimal:
    return sum((one.cost for one in minutes), Decimal(0))
