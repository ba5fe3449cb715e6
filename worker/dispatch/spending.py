"""Opening the books for one tick: what budgets leave of the money, if any lane that waits has one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from worker.dispatch.allowance import Allowance, allowance
from worker.store import ceilings, flights, limits
from worker.store.attempts import Ended
from worker.store.ceilings import Ceiling
from worker.store.tables import NO_LANE
from worker.store.transitions.dispatching import Lane

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
        flying = flights.in_flight(connection, batches, tenants)
        return allowance(self._known, limits.limits(connection, batches, tenants, now=now), flying)
