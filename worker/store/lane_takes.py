"""Paid takes by lane: how many were refused in a row, which lanes are held for it, and how a hold ends.

Written by the leading dispatcher in the transaction that reads the ledger, so a crash or a new leader changes no count.
Resuming a lane waits for the tick first, as pausing a batch does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Executable, bindparam, delete, func, select, tuple_, union_all, update
from sqlalchemy import text as sql

from api_models.status import JobStatus
from worker.store import upserts, workers
from worker.store.outbox import events
from worker.store.queries.attempts import UNNOTED
from worker.store.states import in_state
from worker.store.tables.account import LaneTakes
from worker.store.tables.base import NO_LANE
from worker.store.tables.jobs import Attempt, Batch, Job

CODE: Final = "takes_refused"
MAX_SHOWN: Final = 100
"""How many held lanes are listed, the longest held first."""

OTHERS: Final = "others_refused"
"""The code of a lane that is held for what happened in the tenant's other lanes."""
EVERY_LANE: Final = UUID(int=1)
"""In the place of a lane: all of a tenant's lanes of one model, of which none is so large that it is held by itself."""

Key = tuple[UUID, str, str]
"""Lane, tenant and model, of any priority."""


@dataclass(frozen=True, slots=True)
class TakeCount:
    lane: UUID
    tenant: str
    model: str
    accepted: bool = False
    refused: int = 0
    resumed: bool = False
    code: str | None = None
    message: str | None = None
    held_at: datetime | None = None

    @property
    def key(self) -> Key:
        return self.lane, self.tenant, self.model


@dataclass(frozen=True, slots=True)
class HeldLane:
    count: TakeCount
    since: datetime
    batch: str | None

    @property
    def batch_id(self) -> UUID | None:
        return None if self.count.lane == NO_LANE else self.count.lane


_COLUMNS: Final = tuple(getattr(LaneTakes, name) for name in TakeCount.__slots__)
_KEY: Final = (LaneTakes.lane, LaneTakes.tenant, LaneTakes.model)
_IS_HELD: Final = sql("lane_takes.held_at IS NOT NULL")
"""Literally as in the partial index; see `states`."""


def load(connection: Connection, keys: Collection[Key]) -> dict[Key, TakeCount]:
    if not keys:
        return {}
    rows = connection.execute(select(*_COLUMNS).where(tuple_(*_KEY).in_(list(keys))))
    return {found.key: found for found in (TakeCount(*row) for row in rows)}


def save(connection: Connection, counts: Iterable[TakeCount]) -> None:
    rows = [{name: getattr(count, name) for name in TakeCount.__slots__} for count in counts]
    if rows:
        connection.execute(_save(connection.dialect.name), rows)


@cache
def _save(dialect: str) -> Executable:
    insert = upserts.insert(dialect, LaneTakes)
    changed = {
        column.key: insert.excluded[column.key] for column in _COLUMNS if column.key not in {"lane", "tenant", "model"}
    }
    return insert.on_conflict_do_update(index_elements=["lane", "tenant", "model"], set_=changed)  # type: ignore[no-any-return]


_FLYING: Final = select(Job.lane, Job.tenant, Job.model).where(in_state(JobStatus.DISPATCHED, JobStatus.RUNNING))
_UNREAD: Final = select(func.coalesce(Attempt.batch_id, NO_LANE), Attempt.tenant, Attempt.model).where(UNNOTED)
_OPEN: Final = union_all(_FLYING, _UNREAD).subquery()
_UNDER_WAY: Final[Executable] = select(*_OPEN.c, func.count()).group_by(*_OPEN.c)


def under_way(connection: Connection) -> dict[Key, int]:
    """Calls by lane whose result has not been read yet. A single statement, so that no call is missed between two
    reads.
    """
    return {(lane, tenant, model): calls for lane, tenant, model, calls in connection.execute(_UNDER_WAY)}


_HELD: Final = (
    select(*_COLUMNS, Batch.name)
    .join(Batch, Batch.id == LaneTakes.lane, isouter=True)
    .where(_IS_HELD, LaneTakes.lane != EVERY_LANE)
    .order_by(LaneTakes.held_at)
    .limit(bindparam("most"))
)


def held(connection: Connection, *, most: int = MAX_SHOWN) -> list[HeldLane]:
    found = [(TakeCount(*columns), name) for *columns, name in connection.execute(_HELD, {"most": most})]
    return [HeldLane(count, since, name) for count, name in found if (since := count.held_at) is not None]


def of_batch(batch_id: UUID) -> ColumnElement[bool]:
    return LaneTakes.lane == batch_id


def is_held(connection: Connection, which: ColumnElement[bool]) -> bool:
    return connection.execute(select(LaneTakes.lane).where(which, _IS_HELD).limit(1)).first() is not None


def resume(connection: Connection, which: ColumnElement[bool], *, now: datetime) -> int:
    """Let held lanes of the selection try a few takes again. Returns how many lanes were held."""
    workers.await_tick(connection)
    return _release(connection, which, resumed=True, now=now)


def release_others(connection: Connection, tenant: str, model: str, *, now: datetime) -> int:
    """End the holds of lanes that were held for what others' takes were. Returns how many there were."""
    which = (LaneTakes.tenant == tenant) & (LaneTakes.model == model) & (LaneTakes.code == OTHERS)
    return _release(connection, which, resumed=False, now=now)


def _release(connection: Connection, which: ColumnElement[bool], *, resumed: bool, now: datetime) -> int:
    values = {"held_at": None, "refused": 0, "accepted": False, "resumed": resumed, "code": None}
    released = update(LaneTakes).where(which, _IS_HELD).values(**values).returning(*_COLUMNS)
    found = [TakeCount(*row) for row in connection.execute(released)]
    for count in found:
        events.record(connection, events.TAKES_RELEASED, _subject(count), _data(count), tenant=count.tenant, now=now)
    return len(found)


def announce_hold(connection: Connection, count: TakeCount, *, now: datetime) -> None:
    data = _data(count) | {"refused": count.refused, "since": now.isoformat()}
    events.record(connection, events.TAKES_HELD, _subject(count), data, tenant=count.tenant, now=now)


def forget(connection: Connection, batch_id: UUID) -> None:
    connection.execute(delete(LaneTakes).where(of_batch(batch_id)))


def _subject(count: TakeCount) -> str:
    return count.model if count.lane == NO_LANE else str(count.lane)


def _data(count: TakeCount) -> dict[str, Any]:
    batch_id = None if count.lane == NO_LANE else str(count.lane)
    return {"batch_id": batch_id, "model": count.model, "code": count.code, "message": count.message}
