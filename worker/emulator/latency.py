"""Latency of the emulated models. Draws durations; never waits."""

from __future__ import annotations

import random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Latency(BaseModel):
    """Seconds from an accepted call to its response."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Annotated[float, Field(ge=0)] = 0.0
    jitter: Share = 0.0
    """Half the range as a share of `seconds`: 0.3 draws uniformly from 0.7 to 1.3 times."""
    tail_share: Share = 0.0
    tail_factor: Annotated[float, Field(ge=1)] = 5.0
    """Multiplier for those calls."""

    def draw(self, rng: random.Random) -> float:
        """Return one call's latency. Always draws twice, so that one call never shifts the sequence of another."""
        spread = 1 + self.jitter * (2 * rng.random() - 1)
        slow = rng.random() < self.tail_share
        return self.seconds * spread * (self.tail_factor if slow else 1)

    def of_text(self, seed: int, text: str) -> float:
        """Return a latency that depends on the text and seed only."""
        return self.draw(random.Random(f"{seed}/latency/{text}"))  # noqa: S311  # repeatable on purpose
