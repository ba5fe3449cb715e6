"""Who goes next: by urgency, then in turn over tenants and over each tenant's lanes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, zip_longest

from worker.dispatch.gates.rules import Blocked
from worker.store.transitions.dispatches import Lane, Waiting

Heads = Callable[[Lane, int], Iterable[Waiting]]
"""Fetches the first jobs of a lane, at most so many."""
Serve = Callable[[Lane, Waiting], bool]
"""Asked for each job whose turn it is: False holds it, and with it all that wait behind it in its lane."""

Urgency = Callable[[Lane], int]
"""What decides before all turns."""


def admissible(lanes: Iterable[Lane], blocked: Blocked) -> list[Lane]:
    """The lanes that no closed gate holds."""
    return [] if blocked.everything else [lane for lane in lanes if lane.model not in blocked.models]


def every_lane(_lane: Lane, _job: Waiting) -> bool:
    """Holds nobody."""
    return True


def by_priority(lane: Lane) -> int:
    """As its producer wants it, however long it has waited."""
    return lane.priority


def admit(
    lanes: Sequence[Lane], places: int, heads: Heads, serve: Serve = every_lane, urgency: Urgency = by_priority
) -> list[Waiting]:
    """Fill the free places: the most urgent first, and of those every tenant and lane in turn.

    Of one urgency, the tenants go in the order in which their lanes are given, and so do the lanes of each. Only rows
    that may start now are read: of each lane no more than there are places, and none before its turn has come.
    """
    chosen: list[Waiting] = []
    for tier in tiers(lanes, urgency):
        left = places - len(chosen)
        if left <= 0:
            break
        chosen += _deal(tier, left, heads, serve)
    return chosen


def tiers(lanes: Iterable[Lane], urgency: Urgency = by_priority) -> list[list[Lane]]:
    """Lanes of one urgency together, the most urgent first. Of equals, none waits behind another."""
    by_urgency = sorted(lanes, key=urgency, reverse=True)
    return [list(tier) for _, tier in groupby(by_urgency, key=urgency)]


def first_turns(lanes: Iterable[Lane], places: int, urgency: Urgency = by_priority) -> list[Lane]:
    """The lanes of the most urgent ones that are asked first, no more than there are places."""
    for tier in tiers(lanes, urgency):
        tenants: dict[str, list[Lane]] = {}
        for lane in tier:
            tenants.setdefault(lane.tenant, []).append(lane)
        rounds = zip_longest(*tenants.values())
        return list(islice((lane for turn in rounds for lane in turn if lane is not None), max(0, places)))
    return []


def _deal(tier: Sequence[Lane], places: int, heads: Heads, serve: Serve) -> list[Waiting]:
    """One tier's share, a job at a time from tenant to tenant, and from lane to lane within a tenant."""
    tenants: dict[str, list[Iterator[Waiting]]] = {}
    for lane in tier:
        tenants.setdefault(lane.tenant, []).append(_line(lane, places, heads, serve))
    turns = deque(_in_turn(lines) for lines in tenants.values())
    chosen: list[Waiting] = []
    while turns and len(chosen) < places:
        turn = turns.popleft()
        job = next(turn, None)
        if job is not None:
            chosen.append(job)
            turns.append(turn)
    return chosen


def _line(lane: Lane, most: int, heads: Heads, serve: Serve) -> Iterator[Waiting]:
    """Those of a lane who may go, as they are asked for."""
    for job in heads(lane, most):
        if not serve(lane, job):
            return
        yield job


def _in_turn(lines: Iterable[Iterator[Waiting]]) -> Iterator[Waiting]:
    """Jobs of several lanes, one from each in turn, until all are empty."""
    turns = deque(lines)
    while turns:
        line = turns.popleft()
        job = next(line, None)
        if job is not None:
            yield job
            turns.append(line)
