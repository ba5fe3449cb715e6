"""The queue as one tick sees it: whose jobs are at the head, and whether each may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from worker.dispatch import admission
from worker.dispatch.allowance import Allowance
from worker.dispatch.turns import Turns
from worker.store import flights
from worker.store.flights import Load
from worker.store.transitions import dispatching
from worker.store.transitions.dispatching import Lane, Waiting

PROBE_CHOICE = 50
"""A probe is made with the least tried of so many jobs, so that no single one uses up its attempts on it."""


@dataclass(slots=True)
class Queue:
    """For the length of a tick."""

    connection: Connection
    turns: Turns
    allowance: Allowance | None
    """None where no lane that waits has a budget."""
    _loads: dict[UUID, Load] = field(default_factory=dict)

    def heads(self, lane: Lane, most: int) -> Sequence[Waiting]:
        """The first jobs of a lane."""
        jobs = dispatching.heads(self.connection, lane, most=most)
        if self.allowance is not None and lane.limited:
            self._loads |= flights.loads(self.connection, [job.job_id for job in jobs])
        return jobs

    def serve(self, lane: Lane, job: Waiting) -> bool:
        """Give a job its turn. False where a budget holds it."""
        if self.allowance is not None and lane.limited:
            load = self._loads.get(job.job_id)
            if load is None or not self.allowance.serve(lane, load):
                return False
        self.turns.serve(lane)
        return True

    def probe_job(self, lanes: Sequence[Lane]) -> tuple[Lane, Waiting] | None:
        """One job to try a closed gate with."""
        for tier in admission.tiers(lanes):
            for lane in tier:
                job = min(self.heads(lane, PROBE_CHOICE), key=lambda waiting: waiting.attempt, default=None)
                if job is not None and self.serve(lane, job):
                    return lane, job
        return None
