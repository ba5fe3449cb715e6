"""When a message that didn't arrive is sent again, and when that is given up. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

DELAYS_SECONDS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 36_000, 43_200, 43_200, 43_200)
"""Between one try and the next; together a little under three days."""
MAX_TRIES: Final = len(DELAYS_SECONDS) + 1
JITTER: Final = 0.2
"""A wait is this much longer or shorter, so that a receiver that comes back isn't met by everything at once."""
LONGEST_ASKED_SECONDS: Final = 24 * 3_600
"""A receiver may ask for a pause up to here."""
DISABLED_AFTER: Final = timedelta(days=5)
"""An endpoint at which nothing has arrived for so long is sent nothing more."""


class NextStep(StrEnum):
    """What becomes of a delivery after a try."""

    DELIVERED = "delivered"
    """It arrived."""
    AGAIN = "pending"
    """It is tried again later."""
    FAILED = "failed"
    """It is given up; somebody may send it again by hand."""


@dataclass(frozen=True, slots=True)
class Next:
    """What follows."""

    fate: NextStep
    at: datetime | None = None
    gone: bool = False
    """The receiver says that nobody is there any more: the endpoint is disabled."""


def after(*, status: int | None, tries: int, asked_seconds: float | None, now: datetime, rng: random.Random) -> Next:
    """What follows from an answer, or from none. `tries` counts this one; `asked_seconds` is its `Retry-After`."""
    if status is not None and 200 <= status < 300:
        return Next(NextStep.DELIVERED)
    if status == 410:
        return Next(NextStep.FAILED, gone=True)
    if tries >= MAX_TRIES:
        return Next(NextStep.FAILED)
    planned = DELAYS_SECONDS[tries - 1] * (1 + JITTER * (2 * rng.random() - 1))
    asked = min(asked_seconds or 0.0, LONGEST_ASKED_SECONDS)
    return Next(NextStep.AGAIN, now + timedelta(seconds=max(planned, asked)))
