"""What a tick found, and how long to wait before the next one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

FOLLOWER_POLL_SECONDS: Final = 0.5
BUSY_POLL_SECONDS: Final = 0.1
"""The longest wait between two ticks of a leader with work; a wake-up cuts it short."""
IDLE_POLL_SECONDS: Final = 0.25
GATHER_SECONDS: Final = 0.1
"""From a tick to one that answers a change: changes that come together are answered together."""
EMBEDDED_GATHER_SECONDS: Final = 0.04
"""The same where the database is a file beside it, and a tick costs little."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One look of a dispatcher at the queue."""

    leads: bool = False
    busy: bool = False
    """Somebody started, or would start if there were room."""
    next_chance: datetime | None = None
    """When the pace lets the next call start."""
    now: datetime | None = None


def wait_seconds(tick: Tick) -> float:
    """The longest wait before the next tick."""
    if not tick.leads:
        return FOLLOWER_POLL_SECONDS
    wait = BUSY_POLL_SECONDS if tick.busy else IDLE_POLL_SECONDS
    if tick.next_chance is None or tick.now is None:
        return wait
    until_chance = (tick.next_chance - tick.now).total_seconds()
    # A rate may ask for a start sooner than that.
    return min(wait, max(until_chance, EMBEDDED_GATHER_SECONDS)) if until_chance > 0 else wait
