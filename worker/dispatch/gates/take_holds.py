"""Holds lanes whose paid takes are refused one after another. `take_runs` makes the decisions.

Many small batches never reach the limit by themselves. So a few refused takes of each lane are also counted over all
lanes of a tenant and model; while that count is at the limit, lanes without an accepted take are held before they start
any. One accepted take, such as one of a resumed batch, releases them.

Weakness: a lane is one batch's texts of one model; good texts between bad ones in a lane keep it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from worker.dispatch.gates import take_runs
from worker.dispatch.gates.take_runs import Rations
from worker.store import lane_takes
from worker.store.lane_takes import EVERY_LANE, Key, TakeCount
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
        if not self.limit:
            return
        finished = list(finished)
        by_lane = self._by_lane(finished)
        every = {_every(ended.tenant, ended.model) for ended in finished if take_runs.is_accepted(ended)}
        every = {key for key in every if key not in self._good} | {_every(key[1], key[2]) for key in by_lane}
        before = lane_takes.load(connection, by_lane.keys() | every)
        counts = {key: before.get(key, TakeCount(*key)) for key in by_lane.keys() | every}
        for ended in finished:
            self._count(counts, ended, now)
        lane_takes.save(connection, (count for key, count in counts.items() if count != before.get(key)))
        for key, count in counts.items():
            self._remember(key, count)
            if key in every:
                if key in before and before[key].held_at is not None and count.held_at is None:
                    lane_takes.release_others(connection, count.tenant, count.model, now=now)
            elif count.held_at == now:
                self._hold(connection, count, now)

    def _count(self, counts: dict[Key, TakeCount], ended: Ended, now: datetime) -> None:
        """Add an attempt to its lane's count, and to that of all lanes unless its lane has had its share of it."""
        key, every = (ended.batch_id or NO_LANE, ended.tenant, ended.model), _every(ended.tenant, ended.model)
        is_refused = take_runs.is_refused(ended)
        if not (is_refused or take_runs.is_accepted(ended)):
            return
        if key in counts:
            counts[key] = take_runs.after(counts[key], ended, limit=self.limit, now=now)
        if every in counts and not (is_refused and counts[key].refused > take_runs.SHARE_OF_A_LANE):
            counts[every] = take_runs.across(counts[every], ended, limit=self.limit, now=now)

    def rations(self, connection: Connection, lanes: Sequence[Lane], slots: int, *, now: datetime) -> Rations | None:
        """Return what lanes without an accepted take may start; None if every lane has one."""
        unknown = {_key(lane) for lane in lanes} - self._good if self.limit else set()
        if not unknown:
            return None
        every = {_every(tenant, model) for _, tenant, model in unknown} - self._good
        known = lane_takes.load(connection, unknown | every)
        counts = {key: known.get(key, TakeCount(*key)) for key in unknown}
        for key, count in counts.items():
            self._remember(key, count)
        if all(count.accepted for count in counts.values()):
            return None
        counts |= self._hold_unproven(connection, counts, [known[key] for key in every if key in known], now)
        return take_runs.rations(counts, lane_takes.under_way(connection), limit=self.limit, slots=slots)

    def _hold_unproven(
        self, connection: Connection, counts: dict[Key, TakeCount], every: Iterable[TakeCount], now: datetime
    ) -> dict[Key, TakeCount]:
        """Hold lanes that neither had a take accepted nor were resumed, where all lanes together are at the limit."""
        overall = {(count.tenant, count.model): count for count in every if count.held_at is not None}
        held = {
            key: replace(count, refused=at_limit.refused, code=lane_takes.OTHERS, message=at_limit.message, held_at=now)
            for key, count in counts.items()
            if (at_limit := overall.get((count.tenant, count.model))) is not None
            if not (count.accepted or count.resumed or count.held_at)
        }
        lane_takes.save(connection, held.values())
        for count in held.values():
            self._hold(connection, count, now)
        return held

    def _by_lane(self, finished: Iterable[Ended]) -> dict[Key, list[Ended]]:
        """Return the attempts that change a count, by lane; successes of known good lanes do not."""
        by_lane: dict[Key, list[Ended]] = {}
        for ended in finished:
            key = (ended.batch_id or NO_LANE, ended.tenant, ended.model)
            refused = take_runs.is_refused(ended)
            if refused or (take_runs.is_accepted(ended) and (key in by_lane or key not in self._good)):
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


def _every(tenant: str, model: str) -> Key:
    return EVERY_LANE, tenant, model


def _key(lane: Lane) -> Key:
    return lane.lane, lane.tenant, lane.model
