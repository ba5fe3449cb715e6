"""How many calls were let through in the last minute, by second. Pure; calls count until a refusal says otherwise."""

from __future__ import annotations

from typing import Final

WINDOW_SECONDS: Final = 60.0
"""The span over which limits a minute are counted."""
BUCKET_SECONDS: Final = 1.0

Accepted = tuple[tuple[int, int], ...]
"""Calls by the second in which they started, the oldest first."""


def counted(accepted: Accepted, now: float, started: int) -> Accepted:
    """With so many calls more, and without those that no window still holds."""
    oldest, second = now - WINDOW_SECONDS - BUCKET_SECONDS, int(now / BUCKET_SECONDS)
    gone = next((index for index, entry in enumerate(accepted) if entry[0] >= oldest), len(accepted))
    kept = accepted[gone:]
    if kept and kept[-1][0] == second:
        return (*kept[:-1], (second, kept[-1][1] + started))
    return (*kept, (second, started))


def uncounted(accepted: Accepted, started_at: float) -> Accepted:
    """Without one call that was refused, taken from its own second or the nearest before."""
    for index in range(len(accepted) - 1, -1, -1):
        second, count = accepted[index]
        if second <= started_at / BUCKET_SECONDS and count > 0:
            return (*accepted[:index], (second, count - 1), *accepted[index + 1 :])
    return accepted


def of_minute(accepted: Accepted, until: float) -> float:
    """Calls a minute that were accepted in the minute up to `until`."""
    return float(sum(count for second, count in accepted if until - WINDOW_SECONDS < second + BUCKET_SECONDS))


def since(accepted: Accepted, moment: float) -> int:
    """Calls accepted from a moment on."""
    return sum(count for second, count in accepted if second >= moment)


def thinned_at(accepted: Accepted, limit: float, now: float) -> float:
    """When so many of the minute's calls will have left it that no more than `limit` are in it."""
    excess = of_minute(accepted, now) - limit
    for second, count in accepted:
        if excess <= 0:
            break
        excess -= count
        now = max(now, second + BUCKET_SECONDS + WINDOW_SECONDS)
    return now
