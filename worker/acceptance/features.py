"""Frames of a take: their levels and spectra, and in which of them there is speech."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from worker.acceptance.findings import Samples

RATE: Final = 16_000
HOP: Final = 320
FRAMES_PER_SECOND: Final = RATE / HOP
WINDOW: Final = 512
SILENCE_BELOW_DB: Final = 35.0
"""Below the take's loud frames."""
LOUD_PERCENTILE: Final = 95
_FLOOR: Final = 1e-9


def powers_db(samples: Samples) -> npt.NDArray[np.float64]:
    """The level of each frame."""
    return np.asarray(10 * np.log10(np.square(_windows(samples)).mean(axis=1) + _FLOOR), np.float64)


def is_speech(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.asarray(levels > max(np.percentile(levels, LOUD_PERCENTILE) - SILENCE_BELOW_DB, -70.0))


def spectra(samples: Samples) -> npt.NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(_windows(samples) * np.hamming(WINDOW), axis=1), np.complex128)


def _windows(samples: Samples) -> Samples:
    padded = np.pad(samples, (0, WINDOW))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: max(1, len(samples)) : HOP]
