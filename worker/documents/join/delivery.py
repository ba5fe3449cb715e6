"""What publishers measure in a delivered file: its level, its peak and its noise floor, and how far they are off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.documents.join.clips import FLOOR_DBFS, Samples

STEP_SECONDS: Final = 0.05
FLOOR_STEPS: Final = 10
"""The noise floor is the level of the quietest half second."""
MAX_GAIN_DB: Final = 30.0
"""A recording that needs more is noise."""


@dataclass(frozen=True, slots=True)
class Levels:
    rms_dbfs: float
    """Of the whole file."""
    peak_dbfs: float
    floor_dbfs: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """The limits of a publisher. Its files are MP3."""

    rms_dbfs: tuple[float, float]
    """Of the whole file."""
    peak_dbfs: float
    floor_dbfs: float
    """Of the quietest half second."""
    sample_rate: int
    min_bitrate: int
    """kbit/s, constant."""
    head_seconds: float
    """Room tone before the first sound."""
    tail_seconds: float
    """And behind the last one."""
    tone_dbfs: float
    """Louder room tone between parts is turned down to this."""

    def gain_from(self, found: Levels) -> float:
        """Return the factor that brings a recording to the middle of the permitted levels."""
        wanted = sum(self.rms_dbfs) / 2 - found.rms_dbfs
        return float(10 ** (min(wanted, MAX_GAIN_DB) / 20))

    def faults(self, found: Levels) -> Iterator[str]:
        """Yield what is outside the limits."""
        lowest, highest = self.rms_dbfs
        if not lowest <= found.rms_dbfs <= highest:
            yield f"its level is {found.rms_dbfs:.1f} dB RMS, not {lowest:.0f} to {highest:.0f}"
        if found.peak_dbfs > self.peak_dbfs:
            yield f"its peak is {found.peak_dbfs:.1f} dB, over {self.peak_dbfs:.0f}"
        if found.floor_dbfs > self.floor_dbfs:
            yield f"its noise floor is {found.floor_dbfs:.1f} dB, over {self.floor_dbfs:.0f}"


ACX: Final = Delivery((-23.0, -18.0), -3.0, -60.0, 44_100, 192, 0.75, 2.0, -65.0)
"""https://help.acx.com/s/article/what-are-the-acx-audio-submission-requirements"""


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
