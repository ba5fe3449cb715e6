"""Holds lanes whose paid takes are refused one after another. The decisions are in `take_runs`.

Its weakness: a lane is a batch's texts of one model. Good texts between bad ones in the same lane keep it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from worker.dispatch.gates import take_runs
from worker.dispatch.gates.take_runs import Rations
from worker.store import lane_takes
from worker.store.lane_takes import Key, TakeCount
from worker.store.queries.attempts import Ended
from worker.store.tables.base import NO_LANE
from worker.store.transitions import dispatches
from worker.store.transitions.dispatches import Lane

MAX_REMEMBERED: Final = 20_000
"""Lanes known to be good; of more, all are looked up again."""


@dataclass(slots=True)
class TakeHolds:
    """Remembers the lanes whose latest take was accepted: they cost no statement."""

    limit: int
    """Refused takes in a row that hold a lane; 0 holds none."""
    _good: set[Key] = field(default_factory=set)

    def forget(self) -> None:
        """Another dispatcher leads."""
        self._good.clear()

    def learn(self, connection: Connection, news: Iterable[Ended], now: datetime) -> None:
        """Count what ended, and hold the lanes whose count is full."""
        told = self._told(news) if self.limit else {}
        before = lane_takes.load(connection, told.keys())
        counts = {key: before.get(key, TakeCount(*key)) for key in told}
        for key, theirs in told.items():
            for ended in theirs:
                counts[key] = take_runs.after(counts[key], ended, limit=self.limit, now=now)
        lane_takes.save(connection, (count for key, count in counts.items() if count != before.get(key)))
        for key, count in counts.items():
            self._remember(key, count)
            if count.held_at == now:
                self._hold(connection, count, now)

    def rations(self, connection: Connection, lanes: Sequence[Lane], slots: int) -> Rations | None:
        """What lanes may start that have no accepted take yet; None where all have one."""
        unknown = {_key(lane) for lane in lanes} - self._good if self.limit else set()
        if not unknown:
            return None
        known = lane_takes.load(connection, unknown)
        counts = {key: known.get(key, TakeCount(*key)) for key in unknown}
        for key, count in counts.items():
            self._remember(key, count)
        if all(count.accepted for count in counts.values()):
            return None
        return take_runs.rations(counts, lane_takes.under_way(connection), limit=self.limit, slots=slots)

    def _told(self, news: Iterable[Ended]) -> dict[Key, list[Ended]]:
        """What says something, by lane. That a good lane is good is no news."""
        told: dict[Key, list[Ended]] = {}
        for ended in news:
            key = (ended.batch_id or NO_LANE, ended.tenant, ended.model)
            refused = take_runs.is_refused(ended)
            if refused or (ended.verdict is take_runs.ACCEPTED and (key in told or key not in self._good)):
                told.setdefault(key, []).append(ended)
        return told

    def _remember(self, key: Key, count: TakeCount) -> None:
        if len(self._good) >= MAX_REMEMBERED:
            self._good.clear()
        if count.accepted and not count.refused:
            self._good.add(key)
        else:
            self._good.discard(key)

    def _hold(self, connection: Connection, count: TakeCount, now: datetime) -> None:
        dispatches.recall_lane(connection, *count.key)
        lane_takes.announce_hold(connection, count, now=now)


def _key(lane: Lane) -> Key:
    return lane.lane, lane.tenant, lane.model
