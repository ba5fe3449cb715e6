"""Decides which jobs start now, by slots, pace, gates, turns, reserve and budgets, and dispatches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from worker.dispatch.budget import Spending
from worker.dispatch.config import WorkerScope
from worker.dispatch.fairness import admission
from worker.dispatch.fairness.ageing import Ageing
from worker.dispatch.fairness.reserve import Reserve
from worker.dispatch.fairness.rotation import Rotation, Window
from worker.dispatch.gates import probe_jobs, rules
from worker.dispatch.gates.gatekeeper import Gatekeeper
from worker.dispatch.gates.take_holds import TakeHolds
from worker.dispatch.lane_reader import Queue
from worker.dispatch.rate import pace
from worker.dispatch.single_flight import SingleFlight
from worker.store.account import Gate, PaceState
from worker.store.money import in_flight
from worker.store.transitions import dispatches, followers
from worker.store.transitions.dispatches import Waiting


@dataclass(frozen=True, slots=True)
class Started:
    jobs: Sequence[Waiting]
    """To be published."""
    paced: PaceState
    more: bool
    """Whether a job started, or would start with free capacity."""


@dataclass(slots=True)
class Admission:
    scope: WorkerScope
    keeper: Gatekeeper
    spending: Spending
    reserve: Reserve
    ageing: Ageing
    take_holds: TakeHolds
    single_flight: SingleFlight = field(default_factory=SingleFlight)
    window: Window = field(default_factory=Window)
    turns: Rotation = field(default_factory=Rotation)

    def forget(self) -> None:
        self.single_flight.forget()
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
        places = pace.permitted(paced, now, free)
        if places <= 0:
            return Started([], paced, more=free > 0 or pace.is_paused(paced, now))
        lanes = self.turns.in_order(self.window.read(partial(dispatches.lanes, connection)))
        if not lanes:
            return Started([], paced, more=False)
        self.reserve.note(lanes, now)
        queue = Queue(
            connection,
            now,
            self.turns,
            self.ageing,
            allowance=self.spending.open(connection, lanes, now),
            bulk_places=self._bulk_places(connection, slots, now),
            rations=self.take_holds.rations(connection, lanes, slots, now=now),
        )
        # Probes first: behind another model's long queue they would never get a slot.
        chosen = probe_jobs.probe_jobs(self.keeper, queue, closed, lanes, limit=places, now=now)
        open_lanes = admission.admissible(lanes, rules.blocked(closed))
        urgencies = self.ageing.urgencies(open_lanes, now)
        remaining = places - len(chosen)
        queue.prefetch(admission.first_turns(open_lanes, remaining, urgencies.__getitem__), remaining)
        chosen += admission.admit(open_lanes, remaining, queue.heads, queue.serve, urgencies.__getitem__)
        dispatched = self._dispatch(connection, chosen, now)
        return Started(dispatched, pace.after_starts(paced, now, len(dispatched)), more=True)

    def _dispatch(self, connection: Connection, chosen: Sequence[Waiting], now: datetime) -> Sequence[Waiting]:
        dispatchable = self.single_flight.separate(connection, chosen, now)
        dispatched = dispatches.dispatch(
            connection, [job.job_id for job in dispatchable], worker_id=self.scope.only_worker, now=now
        )
        copiers = {job.job_id: job.copies for job in dispatchable if job.copies is not None}
        followers.send_for_copies(
            connection, {job.job_id: copiers[job.job_id] for job in dispatched if job.job_id in copiers}
        )
        return dispatched

    def _bulk_places(self, connection: Connection, slots: int, now: datetime) -> int | None:
        """Return how many bulk jobs may start without using reserved slots; None if none are reserved."""
        held = self.reserve.held(slots, now)
        return max(0, slots - held - in_flight.bulk(connection)) if held else None
