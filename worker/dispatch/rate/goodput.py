"""Calls accepted during the last minute, by second. Pure; a call counts as accepted until it is refused."""

from __future__ import annotations

from typing import Final

WINDOW_SECONDS: Final = 60.0
"""The window of limits per minute."""
BUCKET_SECONDS: Final = 1.0

Accepted = tuple[tuple[int, int], ...]
"""Calls by the second in which they started, the oldest first."""


def counted(accepted: Accepted, now: float, started: int) -> Accepted:
    """Add calls, and drop those older than the window."""
    oldest, second = now - WINDOW_SECONDS - BUCKET_SECONDS, int(now / BUCKET_SECONDS)
    gone = next((index for index, entry in enumerate(accepted) if entry[0] >= oldest), len(accepted))
    kept = accepted[gone:]
    if kept and kept[-1][0] == second:
        return (*kept[:-1], (second, kept[-1][1] + started))
    return (*kept, (second, started))


def uncounted(accepted: Accepted, started_at: float) -> Accepted:
    """Remove one refused call from its second, or from the nearest earlier one."""
    for index in range(len(accepted) - 1, -1, -1):
        second, count = accepted[index]
        if second <= started_at / BUCKET_SECONDS and count > 0:
            return (*accepted[:index], (second, count - 1), *accepted[index + 1 :])
    return accepted


def of_minute(accepted: Accepted, until: float) -> float:
    return float(sum(count for second, count in accepted if until - WINDOW_SECONDS < second + BUCKET_SECONDS))


def since(accepted: Accepted, moment: float) -> int:
    return sum(count for second, count in accepted if second >= moment)


def thinned_at(accepted: Accepted, limit: float, now: float) -> float:
    """Return when at most `limit` of the calls will be left in the window."""
    excess = of_minute(accepted, now) - limit
    for second, count in accepted:
        if excess <= 0:
            break
        excess -= count
        now = max(now, second + BUCKET_SECONDS + WINDOW_SECONDS)
    return now
