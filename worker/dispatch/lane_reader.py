"""The queue as one tick sees it: whose jobs are at the head, and whether each may go."""

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
"""A probe is made with the least tried of so many jobs, so that no single one uses up its attempts on it."""


@dataclass(slots=True)
class Queue:
    """For the length of a tick."""

    connection: Connection
    now: datetime
    turns: Rotation
    ageing: Ageing
    allowance: Allowance | None
    """None where no lane that waits has a budget."""
    bulk_places: int | None
    """How many bulk jobs may start; None where nothing is reserved for others."""
    rations: Rations | None = None
    """None where every lane that waits has had an accepted take."""
    _loads: dict[UUID, Load] = field(default_factory=dict)
    _expected: dict[Lane, list[Waiting]] = field(default_factory=dict)
    """The first jobs of lanes that were read together."""
    _share: int = 0
    """How many were asked for, of each of them."""
    _keys: set[UUID] = field(default_factory=set)
    """API keys whose budgets are known."""

    def expect(self, lanes: Sequence[Lane], places: int) -> None:
        """These lanes will have the first turns for so many places: read at once what falls to each."""
        if not lanes or places <= 0:
            return
        self._share = math.ceil(places / len(lanes))
        self._expected = dispatches.heads_of_each(self.connection, lanes, most=self._share)

    def heads(self, lane: Lane, most: int) -> Iterator[Waiting]:
        """The first jobs of a lane, read as they are asked for."""
        if self.bulk_places is not None and is_bulk(lane):
            most = min(most, self.bulk_places)
        if most <= 0:
            return
        first = self._expected.pop(lane, None)
        if first is None:
            yield from self._read(lane, dispatches.heads(self.connection, lane, most=most))
            return
        yield from self._read(lane, first[:most])
        if len(first) == self._share < most:
            rest = dispatches.heads(self.connection, lane, most=most - len(first), behind=first[-1].job_id)
            yield from self._read(lane, rest)

    def _read(self, lane: Lane, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        if self.allowance is not None and lane.limited:
            loads = in_flight.loads(self.connection, [job.job_id for job in jobs])
            self._loads |= loads
            self._heed_keys(self.allowance, {load.key_id for load in loads.values() if load.key_id is not None})
        return jobs

    def _heed_keys(self, allowance: Allowance, keys: set[UUID]) -> None:
        """The budgets of API keys are looked up as jobs of theirs are met: there may be thousands that have none."""
        if unknown := keys - self._keys:
            allowance.limit(limits.of_keys(self.connection, sorted(unknown)))
            self._keys |= unknown

    def serve(self, lane: Lane, job: Waiting) -> bool:
        """Give a job its turn. False where a budget or refused takes hold it, or the place is reserved."""
        rationed = self.bulk_places is not None and is_bulk(lane)
        if (rationed and not self.bulk_places) or not self._may_try(lane):
            return False
        if self.allowance is not None and lane.limited:
            load = self._loads.get(job.job_id)
            if load is None:
                return False
            if not self.allowance.serve(lane, load):
                self._set_apart(self.allowance, lane, load)
                return False
        if self.rations is not None:
            self.rations.serve(lane)
        if rationed and self.bulk_places is not None:
            self.bulk_places -= 1
        self.turns.serve(lane)
        self.ageing.serve(lane, self.now)
        return True

    def _set_apart(self, allowance: Allowance, lane: Lane, load: Load) -> None:
        """Of jobs without a batch, those whose key is out of money wait in a lane of its own, from the next tick on."""
        if lane.lane == NO_LANE and load.key_id is not None and allowance.is_held_by_key(lane, load):
            dispatches.set_apart(self.connection, lane, load.key_id)

    def _may_try(self, lane: Lane) -> bool:
        return self.rations is None or self.rations.allows(lane)

    def probe_job(self, lanes: Sequence[Lane]) -> tuple[Lane, Waiting] | None:
        """One job to try a closed gate with."""
        for tier in admission.tiers(lanes):
            for lane in tier:
                job = min(self.heads(lane, PROBE_CHOICE), key=lambda waiting: waiting.attempt, default=None)
                if job is not None and self.serve(lane, job):
                    return lane, job
        return None
