"""How long a job waits before its next attempt. Pure."""

from __future__ import annotations

import random
from typing import Final

FIRST_SECONDS: Final = 2.0
CAP_SECONDS: Final = 300.0


def next_delay(tries: int, rng: random.Random) -> float:
    """Seconds before the next try: exponential with full jitter, at most five minutes.

    Full jitter spreads retries evenly, so that jobs that failed together don't come back together.
    """
    return rng.uniform(0, min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(tries, 20)))
