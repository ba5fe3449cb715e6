"""When a failed delivery is retried, and when it fails for good. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

DELAYS_SECONDS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 36_000, 43_200, 43_200, 43_200)
"""Between two tries; together a little under three days."""
MAX_TRIES: Final = len(DELAYS_SECONDS) + 1
JITTER: Final = 0.2
"""Each delay varies by this fraction, so that a receiver that recovers is not sent everything at once."""
MAX_REQUESTED_SECONDS: Final = 24 * 3_600
"""Maximum delay that a receiver may request."""
DISABLED_AFTER: Final = timedelta(days=5)
"""An endpoint without a successful delivery for this long is disabled."""


GONE: Final = 410
"""The status of a receiver that no longer exists: the endpoint is disabled."""


class NextStep(StrEnum):
    DELIVERED = "delivered"
    AGAIN = "pending"
    FAILED = "failed"
    """It is not retried, except by an operator."""


@dataclass(frozen=True, slots=True)
class Next:
    fate: NextStep
    at: datetime | None = None


def after(*, status: int | None, tries: int, asked_seconds: float | None, now: datetime, rng: random.Random) -> Next:
    """Return the step after a response, or after none. `tries` includes this one; `asked_seconds` is from
    `Retry-After`.
    """
    if status is not None and 200 <= status < 300:
        return Next(NextStep.DELIVERED)
    if status == GONE:
        return Next(NextStep.FAILED)
    if tries >= MAX_TRIES:
        return Next(NextStep.FAILED)
    planned = DELAYS_SECONDS[tries - 1] * (1 + JITTER * (2 * rng.random() - 1))
    requested = min(asked_seconds or 0.0, MAX_REQUESTED_SECONDS)
    return Next(NextStep.AGAIN, now + timedelta(seconds=max(planned, requested)))
