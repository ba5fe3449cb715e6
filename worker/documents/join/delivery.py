"""What publishers require of a delivered file: its level, its peak and its noise floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

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
