"""Ramp-up while no limit is known: a few calls, then three times as many whenever none was refused. Pure.

A limiter refuses at once, and a call takes seconds: no refusal shortly after a burst is evidence. A hundred slots fill
within half a second, and a limit is overshot by little more than a factor of two.

Weakness: if refusals take longer than these waits, the next burst is already out.
"""

from __future__ import annotations

from typing import Final

FIRST_CALLS: Final = 6
FIRST_PROOF_SECONDS: Final = 0.25
"""How long the first calls may take to be refused. Overshooting a limit of a few calls by a hundred costs most, so the
first wait is the longest."""
GROWTH: Final = 2.3
"""Unproven calls allowed per accepted call. The totals of 6, 19 and 62 calls lie just above common limits (5, 50, 60),
which are then overshot by few."""
PROOF_SECONDS: Final = 0.12
CROWD: Final = 100
"""From this many calls on, one step too far means hundreds of refusals; most queues have filled their slots by then."""
CROWD_GROWTH: Final = 1.0
CROWD_PROOF_SECONDS: Final = 0.5

Fresh = tuple[tuple[float, int], ...]
"""Calls too recent to have been refused: start time and count, the oldest first."""


def fresh(calls: Fresh, now: float, started: int) -> Fresh:
    """Add calls just started, and drop those old enough to be proven."""
    return (*(entry for entry in calls if entry[0] + CROWD_PROOF_SECONDS > now), (now, started))


def allowed(calls: Fresh, goodput: float, now: float) -> int:
    """Return how many calls may start beside those not yet proven. `goodput` holds the calls of the last minute."""
    proof = _proof_seconds(goodput)
    unproven = sum(count for at, count in calls if at + proof > now)
    proven = goodput - unproven
    if goodput >= CROWD:
        return max(0, int(proven * CROWD_GROWTH) - unproven)
    return max(0, min(max(FIRST_CALLS, int(proven * GROWTH)) - unproven, int(CROWD - goodput)))


def next_step(calls: Fresh, goodput: float, now: float) -> float:
    if allowed(calls, goodput, now) > 0:
        return now
    proof = _proof_seconds(goodput)
    return min((at + proof for at, _ in calls if at + proof > now), default=now)


def _proof_seconds(goodput: float) -> float:
    if goodput <= FIRST_CALLS:
        return FIRST_PROOF_SECONDS
    return PROOF_SECONDS if goodput < CROWD else CROWD_PROOF_SECONDS
