"""Who starts now: free slots, pace, gates, turns, reserve and budgets meet here; who may start is dispatched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from worker.dispatch import admission, gates, pace, probing
from worker.dispatch.ageing import Ageing
from worker.dispatch.gatekeeper import Gatekeeper
from worker.dispatch.queue import Queue
from worker.dispatch.reach import Reach
from worker.dispatch.reserve import Reserve
from worker.dispatch.spending import Spending
from worker.dispatch.take_holds import TakeHolds
from worker.dispatch.turns import Turns
from worker.dispatch.twins import Twins
from worker.dispatch.window import Window
from worker.store import flights
from worker.store.account import Gate, PaceState
from worker.store.transitions import dispatching, following
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
    reserve: Reserve
    ageing: Ageing
    take_holds: TakeHolds
    twins: Twins = field(default_factory=Twins)
    window: Window = field(default_factory=Window)
    turns: Turns = field(default_factory=Turns)

    def forget(self) -> None:
        """Another dispatcher leads: what is known here will be wrong."""
        self.twins.forget()
        self.ageing.forget()
        self.take_holds.forget()

    def start(
        self,
        connection: Connection,
        paced: PaceState,
        closed: Sequence[Gate],
        now: datetime,
        *,
        free: int,
        slots: int,
    ) -> Started:
        """Choose who starts on those of the slots that are free, and dispatch them."""
        places = pace.permitted(paced, now, free)
        if places <= 0:
            return Started([], paced, more=free > 0 or pace.is_paused(paced, now))
        lanes = self.turns.in_order(self.window.look(partial(dispatching.lanes, connection)))
        if not lanes:
            return Started([], paced, more=False)
        self.reserve.look(lanes, now)
        queue = Queue(
            connection,
            now,
            self.turns,
            self.ageing,
            allowance=self.spending.open(connection, lanes, now),
            bulk_places=self._bulk_places(connection, slots, now),
            rations=self.take_holds.rations(connection, lanes, slots),
        )
        # Probes go first: behind another model's endless jobs they would never find a place.
        chosen = probing.probe_jobs(self.keeper, queue, closed, lanes, most=places, now=now)
        open_lanes = admission.admissible(lanes, gates.blocked(closed))
        urgencies = self.ageing.urgencies(open_lanes, now)
        left = places - len(chosen)
        queue.expect(admission.first_turns(open_lanes, left, urgencies.__getitem__), left)
        chosen += admission.admit(open_lanes, left, queue.heads, queue.serve, urgencies.__getitem__)
        goes = self.twins.apart(connection, chosen, now)
        dispatched = dispatching.dispatch(
            connection, [job.job_id for job in goes], worker_id=self.reach.only_worker, now=now
        )
        copiers = {job.job_id: job.copies for job in goes if job.copies is not None}
        following.send_for_copies(
            connection, {job.job_id: copiers[job.job_id] for job in dispatched if job.job_id in copiers}
        )
        return Started(dispatched, pace.after_starts(paced, now, len(dispatched)), more=True)

    def _bulk_places(self, connection: Connection, slots: int, now: datetime) -> int | None:
        """How many bulk jobs may start without taking what is reserved; None where nothing is."""
        held = self.reserve.held(slots, now)
        return max(0, slots - held - flights.bulk(connection)) if held else None
