"""Measures what publishers require of a delivered file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from worker.documents.join.clips import FLOOR_DBFS, Samples
from worker.documents.join.delivery import Levels

STEP_SECONDS: Final = 0.05
FLOOR_STEPS: Final = 10
"""The noise floor is the level of the quietest half second."""


def levels(blocks: Iterable[Samples], rate: int) -> Levels:
    """Measure a recording; the blocks are in memory one at a time."""
    steps = _Steps(max(1, round(STEP_SECONDS * rate)))
    for block in blocks:
        steps.add(block)
    powers = np.asarray(steps.powers or [0.0])
    count = min(FLOOR_STEPS, len(powers))
    quietest = float(np.convolve(powers, np.ones(count) / count, "valid").min())
    return Levels(_level(float(powers.mean())), _level(steps.peak**2), _level(max(0.0, quietest)))


class _Steps:
    """The mean power of each `STEP_SECONDS`, and the highest sample. Frames behind the last whole step are left out."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest: Samples | None = None
        self.powers: list[float] = []
        self.peak = 0.0

    def add(self, block: Samples) -> None:
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        held = block if self._rest is None else np.concatenate((self._rest, block))
        whole = len(held) // self._size * self._size
        squares = np.square(held[:whole], dtype=np.float32).mean(axis=1, dtype=np.float64)
        self.powers += squares.reshape(-1, self._size).mean(axis=1).tolist()
        self._rest = held[whole:]


def _level(power: float) -> float:
    return max(FLOOR_DBFS, 10 * float(np.log10(power))) if power > 0 else FLOOR_DBFS
