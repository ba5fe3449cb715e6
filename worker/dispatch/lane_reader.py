"""The queue as one tick sees it: the first jobs of each lane, and whether each may start."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from worker.dispatch.budget import Allowance
from worker.dispatch.fairness import admission
from worker.dispatch.fairness.ageing import Ageing
from worker.dispatch.fairness.reserve import is_bulk
from worker.dispatch.fairness.rotation import Rotation
from worker.dispatch.gates.take_runs import Rations
from worker.store.money import in_flight, limits
from worker.store.money.in_flight import Load
from worker.store.tables.base import NO_LANE
from worker.store.transitions import dispatches
from worker.store.transitions.dispatches import Lane, Waiting

PROBE_CHOICE = 50
"""The probe is the least attempted of this many jobs, so that no job spends all its attempts on probes."""


@dataclass(slots=True)
class Queue:
    """Lives for one tick."""

    connection: Connection
    now: datetime
    turns: Rotation
    ageing: Ageing
    allowance: Allowance | None
    """None if no waiting lane has a budget."""
    bulk_places: int | None
    """Bulk jobs that may still start; None if no slots are reserved."""
    rations: Rations | None = None
    """None if every waiting lane has had an accepted take."""
    _loads: dict[UUID, Load] = field(default_factory=dict)
    _prefetched: dict[Lane, list[Waiting]] = field(default_factory=dict)
    """Heads of lanes that were read together."""
    _share: int = 0
    """Rows requested per lane in that read."""
    _keys: set[UUID] = field(default_factory=set)
    """API keys whose budgets are loaded."""

    def prefetch(self, lanes: Sequence[Lane], places: int) -> None:
        """Prefetch in one statement the share of `places` of the lanes that come first."""
        if not lanes or places <= 0:
            return
        self._share = math.ceil(places / len(lanes))
        self._prefetched = dispatches.heads_of_each(self.connection, lanes, most=self._share)

    def heads(self, lane: Lane, limit: int) -> Iterator[Waiting]:
        if self.bulk_places is not None and is_bulk(lane):
            limit = min(limit, self.bulk_places)
        if limit <= 0:
            return
        first = self._prefetched.pop(lane, None)
        if first is None:
            yield from self._read(lane, dispatches.heads(self.connection, lane, most=limit))
            return
        yield from self._read(lane, first[:limit])
        if len(first) == self._share < limit:
            rest = dispatches.heads(self.connection, lane, most=limit - len(first), behind=first[-1].job_id)
            yield from self._read(lane, rest)

    def _read(self, lane: Lane, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        if self.allowance is not None and lane.limited:
            loads = in_flight.loads(self.connection, [job.job_id for job in jobs])
            self._loads |= loads
            self._load_key_budgets(self.allowance, {load.key_id for load in loads.values() if load.key_id is not None})
        return jobs

    def _load_key_budgets(self, allowance: Allowance, keys: set[UUID]) -> None:
        """Load the budgets of keys as their jobs appear: there may be thousands of keys without one."""
        if unknown := keys - self._keys:
            allowance.limit(limits.of_keys(self.connection, sorted(unknown)))
            self._keys |= unknown

    def serve(self, lane: Lane, job: Waiting) -> bool:
        """Start a job. False if a budget, refused takes or the reserve holds it."""
        rationed = self.bulk_places is not None and is_bulk(lane)
        if (rationed and not self.bulk_places) or not self._has_ration(lane):
            return False
        if self.allowance is not None and lane.limited:
            load = self._loads.get(job.job_id)
            if load is None:
                return False
            if not self.allowance.serve(lane, load):
                self._separate_key(self.allowance, lane, load)
                return False
        if self.rations is not None:
            self.rations.serve(lane)
        if rationed and self.bulk_places is not None:
            self.bulk_places -= 1
        self.turns.serve(lane)
        self.ageing.serve(lane, self.now)
        return True

    def _separate_key(self, allowance: Allowance, lane: Lane, load: Load) -> None:
        """Move a key's jobs without a batch to a separate lane, from the next tick on, once its budget is used up."""
        if lane.lane == NO_LANE and load.key_id is not None and allowance.is_held_by_key(lane, load):
            dispatches.set_apart(self.connection, lane, load.key_id)

    def _has_ration(self, lane: Lane) -> bool:
        return self.rations is None or self.rations.allows(lane)

    def probe_job(self, lanes: Sequence[Lane]) -> tuple[Lane, Waiting] | None:
        for tier in admission.tiers(lanes):
            for lane in tier:
                job = min(self.heads(lane, PROBE_CHOICE), key=lambda waiting: waiting.attempt, default=None)
                if job is not None and self.serve(lane, job):
                    return lane, job
        return None
