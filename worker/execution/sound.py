"""How a take sounds, as a job's row and an object's metadata have it: three figures, or none where nobody measured."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from worker.audio.measures import Measures

PEAK: Final = "ttsq-peak-dbfs"
LOUDNESS: Final = "ttsq-loudness-lufs"
SILENCE: Final = "ttsq-silence-share"


@dataclass(frozen=True, slots=True)
class Sound:
    """Peak in dBFS, loudness in LUFS, and the silent part of the duration."""

    peak_dbfs: float | None = None
    loudness_lufs: float | None = None
    silence_share: float | None = None

    def metadata(self) -> dict[str, str]:
        """For the object; what isn't known is left out."""
        named = {PEAK: self.peak_dbfs, LOUDNESS: self.loudness_lufs, SILENCE: self.silence_share}
        return {name: str(figure) for name, figure in named.items() if figure is not None}


UNKNOWN: Final = Sound()


def heard(measures: Measures | None) -> Sound:
    """What was measured, as finely as anyone can hear it."""
    if measures is None:
        return UNKNOWN
    return Sound(round(measures.peak_dbfs, 2), round(measures.loudness_lufs, 2), round(measures.silence_share, 4))


def written(metadata: Mapping[str, str]) -> Sound:
    """What an object's metadata says."""
    return Sound(*(_figure(metadata.get(name)) for name in (PEAK, LOUDNESS, SILENCE)))


def _figure(text: str | None) -> float | None:
    with suppress(ValueError):
        return float(text) if text else None
    return None
