"""Who starts now: free slots, pace, gates, turns and budgets meet here; the jobs they let through are dispatched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from worker.dispatch import admission, gates, pace, probing
from worker.dispatch.gatekeeper import Gatekeeper
from worker.dispatch.queue import Queue
from worker.dispatch.reach import Reach
from worker.dispatch.spending import Spending
from worker.dispatch.turns import Turns
from worker.dispatch.twins import Twins
from worker.dispatch.window import Window
from worker.store.account import Gate, PaceState
from worker.store.transitions import dispatching
from worker.store.transitions.dispatching import Waiting


@dataclass(frozen=True, slots=True)
class Started:
    """What came of it."""

    jobs: Sequence[Waiting]
    """To be published."""
    paced: PaceState
    more: bool
    """Somebody started, or would start if there were room."""


@dataclass(slots=True)
class Starting:
    """Remembers whose turn it is, and how far it has looked."""

    reach: Reach
    keeper: Gatekeeper
    spending: Spending
    twins: Twins = field(default_factory=Twins)
    window: Window = field(default_factory=Window)
    turns: Turns = field(default_factory=Turns)

    def start(
        self, connection: Connection, free: int, paced: PaceState, closed: Sequence[Gate], now: datetime
    ) -> Started:
        """Choose who starts on the free slots, and dispatch them."""
        places = pace.permitted(paced, now, free)
        if places <= 0:
            return Started([], paced, more=free > 0 or pace.is_paused(paced, now))
        lanes = self.turns.in_order(self.window.look(partial(dispatching.lanes, connection)))
        if not lanes:
            return Started([], paced, more=False)
        queue = Queue(connection, self.turns, self.spending.open(connection, lanes, now))
        # Probes go first: behind another model's endless jobs they would never find a place.
        chosen = probing.probe_jobs(self.keeper, queue, closed, lanes, most=places, now=now)
        open_lanes = admission.admissible(lanes, gates.blocked(closed))
        chosen += admission.admit(open_lanes, places - len(chosen), queue.heads, queue.serve)
        goes = self.twins.apart(connection, chosen, now)
        dispatched = dispatching.dispatch(
            connection, [job.job_id for job in goes], worker_id=self.reach.only_worker, now=now
        )
        return Started(dispatched, pace.after_starts(paced, now, len(dispatched)), more=True)
