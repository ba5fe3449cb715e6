"""Chooses the jobs sent through closed gates as probes: one at a time per gate, when a paid probe is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from worker.dispatch.fairness import admission
from worker.dispatch.gates import circuit_breaker, rules
from worker.dispatch.gates.gatekeeper import Gatekeeper
from worker.dispatch.lane_reader import Queue
from worker.store.account import Gate
from worker.store.money import in_flight
from worker.store.transitions.dispatches import Lane, Waiting


def probe_jobs(
    keeper: Gatekeeper, queue: Queue, closed: Sequence[Gate], lanes: Sequence[Lane], *, limit: int, now: datetime
) -> list[Waiting]:
    """Return one job for each gate whose probe is due, at most `limit`.

    A job held by several gates is sent if the probes of all of them are due, and probes them all: otherwise two gates
    on the only queued model would block each other.
    """
    due = [gate for gate in rules.due_probes(closed, now) if _wants_a_job(queue.connection, gate)]
    others = rules.blocked([gate for gate in closed if gate not in due])
    open_lanes = admission.admissible(lanes, others) if due else []
    jobs: list[Waiting] = []
    begun: set[str] = set()
    for gate in due:
        if gate.name in begun or len(jobs) == limit:
            continue
        found = queue.probe_job([lane for lane in open_lanes if gate.model in {None, lane.model}])
        if found is None:
            continue
        lane, job = found
        through = [other for other in due if other.model in {None, lane.model}]
        begun |= {other.name for other in through if keeper.begin_probe(queue.connection, other, now)}
        if gate.name in begun:
            jobs.append(job)
    return jobs


def _wants_a_job(connection: Connection, gate: Gate) -> bool:
    """A broken upstream may leave a probe unanswered for long: the next probe waits for it."""
    if rules.is_free(gate):
        return False
    if gate.code != circuit_breaker.CODE or gate.model is None:
        return True
    return not in_flight.is_under_way(connection, gate.model, since=gate.since)
