"""Holds lanes whose paid takes are refused one after another. `take_runs` makes the decisions.

Weakness: a lane is one batch's texts of one model; good texts between bad ones in a lane keep it open.
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
"""Known good lanes; when exceeded, all are looked up again."""


@dataclass(slots=True)
class TakeHolds:
    """Remembers lanes whose latest take was accepted, which need no query."""

    limit: int
    """Consecutive refused takes that hold a lane; 0 disables this."""
    _good: set[Key] = field(default_factory=set)

    def forget(self) -> None:
        self._good.clear()

    def learn(self, connection: Connection, finished: Iterable[Ended], now: datetime) -> None:
        """Count finished attempts, and hold lanes that reached the limit."""
        by_lane = self._by_lane(finished) if self.limit else {}
        before = lane_takes.load(connection, by_lane.keys())
        counts = {key: before.get(key, TakeCount(*key)) for key in by_lane}
        for key, attempts in by_lane.items():
            for ended in attempts:
                counts[key] = take_runs.after(counts[key], ended, limit=self.limit, now=now)
        lane_takes.save(connection, (count for key, count in counts.items() if count != before.get(key)))
        for key, count in counts.items():
            self._remember(key, count)
            if count.held_at == now:
                self._hold(connection, count, now)

    def rations(self, connection: Connection, lanes: Sequence[Lane], slots: int) -> Rations | None:
        """Return what lanes without an accepted take may start; None if every lane has one."""
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

    def _by_lane(self, finished: Iterable[Ended]) -> dict[Key, list[Ended]]:
        """Return the attempts that change a count, by lane; successes of known good lanes do not."""
        by_lane: dict[Key, list[Ended]] = {}
        for ended in finished:
            key = (ended.batch_id or NO_LANE, ended.tenant, ended.model)
            refused = take_runs.is_refused(ended)
            if refused or (ended.verdict is take_runs.ACCEPTED and (key in by_lane or key not in self._good)):
                by_lane.setdefault(key, []).append(ended)
        return by_lane

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
