"""What each budget lets start during one tick. Pure: limits, jobs in flight and price ceilings are passed in.

A job starts only if its limit covers all of: money spent, the list price of calls with unknown outcome, the maximum
cost of calls in flight, and its own maximum cost. Otherwise it is held. For a model with no recent calls only a few
jobs start at once, until the first one reports its real cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from worker.store.money import ceilings, in_flight, limits
from worker.store.money.ceilings import Ceiling, Ceilings
from worker.store.money.in_flight import Flight, Load
from worker.store.money.limits import Limit, Payer
from worker.store.queries.attempts import Ended
from worker.store.tables.base import NO_LANE
from worker.store.transitions.dispatches import Lane

FIRST_CALLS: Final = 3
"""Maximum calls in flight, under any limit, for a model whose cost is unknown."""


@dataclass(slots=True)
class Allowance:
    """Built anew for every tick; each served job reduces it."""

    known: Ceilings
    flying: Sequence[Flight]
    _remaining: dict[Payer, Decimal] = field(default_factory=dict)
    _firsts: dict[str, int] = field(default_factory=dict)

    def limit(self, limits: Iterable[Limit]) -> None:
        for limit in limits:
            covered = (flight for flight in self.flying if limit.covers(flight))
            self._remaining[limit.payer] = limit.left - in_flight.reserved(self.known, covered)

    def serve(self, lane: Lane, load: Load) -> bool:
        """Return whether a job may start, and if so reserve its maximum cost.

        A job that an earlier attempt submitted may always start: its call is already counted as in flight, and holding
        it would lose what was paid for. So may a copy, which costs nothing: an attempt that finds nothing to copy comes
        back before it calls.
        """
        if load.submitted:
            return True
        cost = ceilings.at_most(self.known, lane.model, load.text_bytes)
        payers = self._payers(lane, load)
        is_first = lane.model not in self.known and bool(payers)
        is_full = is_first and self._firsts.get(lane.model, 0) >= FIRST_CALLS
        if not load.copies and (is_full or any(self._remaining[payer] < cost for payer in payers)):
            return False
        for payer in payers:
            self._remaining[payer] -= cost
        if is_first:
            self.count_first(lane.model)
        return True

    def count_first(self, model: str) -> None:
        self._firsts[model] = self._firsts.get(model, 0) + 1

    def is_held_by_key(self, lane: Lane, load: Load) -> bool:
        cost = ceilings.at_most(self.known, lane.model, load.text_bytes)
        return load.key_id in self._remaining and self._remaining[load.key_id] < cost

    def _payers(self, lane: Lane, load: Load) -> list[Payer]:
        named: tuple[Payer | None, ...] = (lane.lane, lane.tenant, load.key_id)
        return [payer for payer in dict.fromkeys(named) if payer in self._remaining]


def allowance(known: Ceilings, limits: Sequence[Limit], flying: Sequence[Flight]) -> Allowance:
    tick = Allowance(known, flying)
    tick.limit(limits)
    for flight in flying:
        if flight.model not in known:
            tick.count_first(flight.model)
    return tick


CEILINGS_SECONDS: Final = 5.0
"""How long price ceilings are cached. A more expensive call raises them at once."""


@dataclass(slots=True)
class Spending:
    """Caches the maximum cost of a call per model."""

    _known: dict[str, Ceiling] = field(default_factory=dict)
    _known_at: datetime | None = None

    def learn(self, finished: Iterable[Ended]) -> None:
        for ended in finished:
            if ended.verdict not in ceilings.PAID:
                continue
            known = self._known.get(ended.model)
            if known is None:
                self._known_at = None
            elif ended.cost > known.cost:
                self._known[ended.model] = replace(known, cost=ended.cost)

    def open(self, connection: Connection, lanes: Sequence[Lane], now: datetime) -> Allowance | None:
        """Return the allowance of this tick, or None (without a query) if no lane has a budget."""
        limited = [lane for lane in lanes if lane.limited]
        if not limited:
            return None
        if self._known_at is None or now - self._known_at > timedelta(seconds=CEILINGS_SECONDS):
            self._known, self._known_at = ceilings.load(connection), now
        batches = {lane.lane for lane in limited} - {NO_LANE}
        tenants = {lane.tenant for lane in limited}
        # In this order: see `limits`.
        flying = in_flight.in_flight(connection, batches, tenants)
        return allowance(self._known, limits.limits(connection, batches, tenants, now=now), flying)
