"""How long the emulated models take. Only draws durations; it never waits."""

from __future__ import annotations

import random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Latency(BaseModel):
    """Seconds from an accepted call to its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Annotated[float, Field(ge=0)] = 0.0
    """The middle of the range."""
    jitter: Share = 0.0
    """Half the range as a share of `seconds`: 0.3 draws evenly from 0.7 to 1.3 times."""
    tail_share: Share = 0.0
    """The share of calls that take much longer."""
    tail_factor: Annotated[float, Field(ge=1)] = 5.0
    """How many times as long those take."""

    def draw(self, rng: random.Random) -> float:
        """The seconds of one call. Always two draws, so that one call's luck never shifts another's."""
        spread = 1 + self.jitter * (2 * rng.random() - 1)
        slow = rng.random() < self.tail_share
        return self.seconds * spread * (self.tail_factor if slow else 1)

    def of_text(self, seed: int, text: str) -> float:
        """The seconds of a text that always takes equally long."""
        return self.draw(random.Random(f"{seed}/latency/{text}"))  # noqa: S311  # repeatable on purpose
