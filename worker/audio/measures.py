"""What is known of a take's sound, as numbers. Says what was measured, never whether that is good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FLOOR_DBFS: Final = -120.0
"""Reported for digital silence, whose level in decibels would be no number."""
FLOOR_LUFS: Final = -70.0
"""Reported where nothing is louder: the absolute gate of ITU-R BS.1770, below which it hears nothing."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The sound of one take. Every number is finite."""

    duration_s: float
    peak_dbfs: float
    """The highest sample, where 0 is full scale; `FLOOR_DBFS` for digital silence."""
    loudness_lufs: float
    """Integrated loudness by ITU-R BS.1770, K-weighted and gated; `FLOOR_LUFS` at the least."""
    silence_share: float
    """0 to 1: the part of the duration in which nothing is heard."""
    longest_silence_s: float
    """The longest stretch in which nothing is heard, wherever it lies."""
    tail_silence_s: float
    """The stretch after the last sound; zero where the take ends in the midst of one."""
    repeat_after_s: float = 0.0
    """The distance, a quarter to half of the duration, at which the take is most like itself; of equals the longest."""
    repeat_likeness: float = 0.0
    """How much alike it is there: 1 is the same wave once more, 0 has nothing in common."""
