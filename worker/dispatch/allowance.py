"""What budgets let start, one tick long. Pure: the limits, the jobs in flight and the ceilings come in.

A limit is checked against what is spent, what the calls in flight may cost at most, and what this call may: as many
start as surely fit, and the rest is held. Of a model that nobody has called lately only a few start at once, until the
first of them has told what they really cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from worker.store import ceilings, flights
from worker.store.ceilings import Ceilings
from worker.store.flights import Flight, Load
from worker.store.limits import Limit, Payer
from worker.store.transitions.dispatching import Lane

FIRST_CALLS: Final = 3
"""Calls in flight, under any limit, of a model whose costs are unknown."""


@dataclass(slots=True)
class Allowance:
    """Made anew in every tick; what is served is taken off."""

    known: Ceilings
    _left: dict[Payer, Decimal]
    _firsts: dict[str, int]
    """Calls in flight of models whose costs are unknown."""

    def serve(self, lane: Lane, load: Load) -> bool:
        """Whether a job may start. If so, what it may cost is taken off.

        One that was submitted by an earlier attempt always may: its call is made, and holding it would only lose what
        was bought.
        """
        cost = ceilings.at_most(self.known, lane.model, load.text_bytes)
        payers: list[Payer] = [payer for payer in (lane.lane, lane.tenant) if payer in self._left]
        covered = all(self._left[payer] >= cost for payer in payers)
        is_first = lane.model not in self.known
        enough = is_first and bool(payers) and self._firsts.get(lane.model, 0) >= FIRST_CALLS
        if not load.submitted and (not covered or enough):
            return False
        for payer in payers:
            self._left[payer] -= cost
        if is_first and payers:
            self._firsts[lane.model] = self._firsts.get(lane.model, 0) + 1
        return True


def allowance(known: Ceilings, limits: Sequence[Limit], flying: Sequence[Flight]) -> Allowance:
    """What is left of each limit."""
    left: dict[Payer, Decimal] = {}
    firsts: dict[str, int] = {}
    for limit in limits:
        theirs = (flight for flight in flying if limit.covers(flight))
        left[limit.payer] = limit.amount - limit.spent - flights.reserved(known, theirs)
    for flight in flying:
        if flight.model not in known:
            firsts[flight.model] = firsts.get(flight.model, 0) + 1
    return Allowance(known, left, firsts)
