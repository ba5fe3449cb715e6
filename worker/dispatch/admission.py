"""Who goes next: by priority, then in turn over tenants and over each tenant's lanes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from worker.dispatch.gates import Blocked
from worker.store.transitions.dispatching import Lane, Waiting


def admissible(lanes: Iterable[Lane], blocked: Blocked) -> list[Lane]:
    """The lanes that no closed gate holds."""
    return [] if blocked.everything else [lane for lane in lanes if lane.model not in blocked.models]


def admit(lanes: Sequence[Lane], places: int, heads: Callable[[Lane, int], Sequence[Waiting]]) -> list[Waiting]:
    """Fill the free places: the highest priority first, and within one every tenant and lane in turn.

    `heads(lane, most)` fetches the first jobs of a lane, so that only rows that may start now are ever read.
    """
    chosen: list[Waiting] = []
    by_priority = sorted(lanes, key=lambda lane: (-lane.priority, lane))
    for _, tier in groupby(by_priority, key=lambda lane: lane.priority):
        left = places - len(chosen)
        if left <= 0:
            break
        chosen += _deal(list(tier), left, heads)
    return chosen


def _deal(tier: Sequence[Lane], places: int, heads: Callable[[Lane, int], Sequence[Waiting]]) -> list[Waiting]:
    """One priority's share, a job at a time from tenant to tenant, and from lane to lane within a tenant."""
    waiting = {lane: deque(heads(lane, places)) for lane in tier}
    tenants = {
        tenant: _in_turn([waiting[lane] for lane in lanes])
        for tenant, lanes in groupby(sorted(tier, key=lambda lane: lane.tenant), key=lambda lane: lane.tenant)
    }
    turns = deque(tenants.values())
    chosen: list[Waiting] = []
    while turns and len(chosen) < places:
        turn = turns.popleft()
        job = next(turn, None)
        if job is not None:
            chosen.append(job)
            turns.append(turn)
    return chosen


def _in_turn(lanes: Sequence[deque[Waiting]]) -> Iterator[Waiting]:
    """Jobs of several lanes, one from each in turn, until all are empty."""
    turns = deque(lanes)
    while turns:
        lane = turns.popleft()
        if lane:
            yield lane.popleft()
            turns.append(lane)
