"""How to begin where no limit is known: a few calls, and thrice as many whenever none of them was refused. Pure.

A limiter refuses at once, and a call takes seconds: that no refusal has come a moment after a burst is evidence. So a
hundred slots are full within half a second, and yet a limit is overshot by little more than twice itself.

Its weakness: where a refusal takes longer than the moments that are waited here, the next burst is out already.
"""

from __future__ import annotations

from typing import Final

FIRST_CALLS: Final = 6
FIRST_PROOF_SECONDS: Final = 0.25
"""How long the first calls may take to be refused. A limit of a few calls that is overshot by a hundred costs most, so
here the wait is longest."""
GROWTH: Final = 2.3
"""Calls that may be out unproven, for each one that was let through. 6, 19 and 62 calls in all come of it, each a
little above a limit that vendors like (5, 50, 60), which is then overshot by few."""
PROOF_SECONDS: Final = 0.12
CROWD: Final = 100
"""From so many calls on a step too far is hundreds of refusals, and most queues have all their slots filled."""
CROWD_GROWTH: Final = 1.0
CROWD_PROOF_SECONDS: Final = 0.5

Fresh = tuple[tuple[float, int], ...]
"""Calls too young to have been refused: when they started, and how many; the oldest first."""


def fresh(calls: Fresh, now: float, started: int) -> Fresh:
    """With calls that have just started, and without those that have grown old."""
    return (*(entry for entry in calls if entry[0] + CROWD_PROOF_SECONDS > now), (now, started))


def allowed(calls: Fresh, goodput: float, now: float) -> int:
    """How many calls may start now, beside those that may yet be refused. `goodput` counts all of the last minute."""
    proof = _proof_seconds(goodput)
    unproven = sum(count for at, count in calls if at + proof > now)
    proven = goodput - unproven
    if goodput >= CROWD:
        return max(0, int(proven * CROWD_GROWTH) - unproven)
    return max(0, min(max(FIRST_CALLS, int(proven * GROWTH)) - unproven, int(CROWD - goodput)))


def next_step(calls: Fresh, goodput: float, now: float) -> float:
    """When more calls may start than now: at once, or as soon as others are proven."""
    if allowed(calls, goodput, now) > 0:
        return now
    proof = _proof_seconds(goodput)
    return min((at + proof for at, _ in calls if at + proof > now), default=now)


def _proof_seconds(goodput: float) -> float:
    if goodput <= FIRST_CALLS:
        return FIRST_PROOF_SECONDS
    return PROOF_SECONDS if goodput < CROWD else CROWD_PROOF_SECONDS
