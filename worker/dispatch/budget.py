"""What budgets let start, one tick long. Pure: the limits, the jobs in flight and the ceilings come in.

A limit is checked against what is spent, the list price of calls whose outcome is unknown, what the calls in flight may
cost at most, and what this call may: as many start as surely fit, and the rest is held. Of a model that nobody has
called lately only a few start at once, until the first of them has told what they really cost.
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
"""Calls in flight, under any limit, of a model whose costs are unknown."""


@dataclass(slots=True)
class Allowance:
    """Made anew in every tick; what is served is taken off."""

    known: Ceilings
    flying: Sequence[Flight]
    _left: dict[Payer, Decimal] = field(default_factory=dict)
    _firsts: dict[str, int] = field(default_factory=dict)
    """Calls in flight of models whose costs are unknown."""

    def limit(self, limits: Iterable[Limit]) -> None:
        """Heed these limits from now on."""
        for limit in limits:
            theirs = (flight for flight in self.flying if limit.covers(flight))
            self._left[limit.payer] = limit.left - in_flight.reserved(self.known, theirs)

    def serve(self, lane: Lane, load: Load) -> bool:
        """Whether a job may start. If so, what it may cost is taken off.

        One that was submitted by an earlier attempt always may: its call is made, is among those in flight already,
        and holding it would only lose what was bought. A copy may as well, because it costs nothing: an attempt that
        finds nothing to copy asks again before it calls.
        """
        if load.submitted:
            return True
        cost = ceilings.at_most(self.known, lane.model, load.text_bytes)
        payers = self._payers(lane, load)
        is_first = lane.model not in self.known and bool(payers)
        enough = is_first and self._firsts.get(lane.model, 0) >= FIRST_CALLS
        if not load.copies and (enough or any(self._left[payer] < cost for payer in payers)):
            return False
        for payer in payers:
            self._left[payer] -= cost
        if is_first:
            self.count_first(lane.model)
        return True

    def count_first(self, model: str) -> None:
        """One more call in flight of a model whose costs are unknown."""
        self._firsts[model] = self._firsts.get(model, 0) + 1

    def is_held_by_key(self, lane: Lane, load: Load) -> bool:
        """Whether it is its key's budget that doesn't cover a job."""
        cost = ceilings.at_most(self.known, lane.model, load.text_bytes)
        return load.key_id in self._left and self._left[load.key_id] < cost

    def _payers(self, lane: Lane, load: Load) -> list[Payer]:
        named: tuple[Payer | None, ...] = (lane.lane, lane.tenant, load.key_id)
        return [payer for payer in dict.fromkeys(named) if payer in self._left]


def allowance(known: Ceilings, limits: Sequence[Limit], flying: Sequence[Flight]) -> Allowance:
    """What is left of each limit."""
    made = Allowance(known, flying)
    made.limit(limits)
    for flight in flying:
        if flight.model not in known:
            made.count_first(flight.model)
    return made


CEILINGS_SECONDS: Final = 5.0
"""How long what is known of the models' costs is kept. A dearer call is heeded at once."""


@dataclass(slots=True)
class Spending:
    """Remembers what calls may cost at most."""

    _known: dict[str, Ceiling] = field(default_factory=dict)
    _known_at: datetime | None = None

    def learn(self, news: Iterable[Ended]) -> None:
        """Heed what calls have just cost."""
        for ended in news:
            if ended.verdict not in ceilings.PAID:
                continue
            known = self._known.get(ended.model)
            if known is None:
                self._known_at = None
            elif ended.cost > known.cost:
                self._known[ended.model] = replace(known, cost=ended.cost)

    def open(self, connection: Connection, lanes: Sequence[Lane], now: datetime) -> Allowance | None:
        """What may still be spent; None where none of these lanes has a budget, which costs no statement."""
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
