"""Which jobs start next: by urgency, then round robin over tenants and over each tenant's lanes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, zip_longest

from worker.dispatch.gates.rules import Blocked
from worker.store.transitions.dispatches import Lane, Waiting

Heads = Callable[[Lane, int], Iterable[Waiting]]
"""Fetches the first jobs of a lane, up to a limit."""
Serve = Callable[[Lane, Waiting], bool]
"""Called for each job in turn; False holds the job and everything behind it in its lane."""

Urgency = Callable[[Lane], int]
"""Primary sort key of the lanes."""


def admissible(lanes: Iterable[Lane], blocked: Blocked) -> list[Lane]:
    return [] if blocked.everything else [lane for lane in lanes if lane.model not in blocked.models]


def every_lane(_lane: Lane, _job: Waiting) -> bool:
    return True


def by_priority(lane: Lane) -> int:
    return lane.priority


def admit(
    lanes: Sequence[Lane], places: int, heads: Heads, serve: Serve = every_lane, urgency: Urgency = by_priority
) -> list[Waiting]:
    """Fill the free places: the most urgent lanes first, round robin among lanes of equal urgency.

    Tenants, and the lanes of each tenant, keep the order of `lanes`. Only rows that may start now are read: at most
    `places` per lane, and none before its turn.
    """
    chosen: list[Waiting] = []
    for tier in tiers(lanes, urgency):
        remaining = places - len(chosen)
        if remaining <= 0:
            break
        chosen += _deal(tier, remaining, heads, serve)
    return chosen


def tiers(lanes: Iterable[Lane], urgency: Urgency = by_priority) -> list[list[Lane]]:
    by_urgency = sorted(lanes, key=urgency, reverse=True)
    return [list(tier) for _, tier in groupby(by_urgency, key=urgency)]


def first_turns(lanes: Iterable[Lane], places: int, urgency: Urgency = by_priority) -> list[Lane]:
    """Return the lanes of the most urgent tier that are read first, at most `places`."""
    for tier in tiers(lanes, urgency):
        tenants: dict[str, list[Lane]] = {}
        for lane in tier:
            tenants.setdefault(lane.tenant, []).append(lane)
        rounds = zip_longest(*tenants.values())
        return list(islice((lane for turn in rounds for lane in turn if lane is not None), max(0, places)))
    return []


def _deal(tier: Sequence[Lane], places: int, heads: Heads, serve: Serve) -> list[Waiting]:
    tenants: dict[str, list[Iterator[Waiting]]] = {}
    for lane in tier:
        tenants.setdefault(lane.tenant, []).append(_startable(lane, places, heads, serve))
    turns = deque(_in_turn(queues) for queues in tenants.values())
    chosen: list[Waiting] = []
    while turns and len(chosen) < places:
        turn = turns.popleft()
        job = next(turn, None)
        if job is not None:
            chosen.append(job)
            turns.append(turn)
    return chosen


def _startable(lane: Lane, limit: int, heads: Heads, serve: Serve) -> Iterator[Waiting]:
    for job in heads(lane, limit):
        if not serve(lane, job):
            return
        yield job


def _in_turn(queues: Iterable[Iterator[Waiting]]) -> Iterator[Waiting]:
    turns = deque(queues)
    while turns:
        queue = turns.popleft()
        job = next(queue, None)
        if job is not None:
            yield job
            turns.append(queue)
