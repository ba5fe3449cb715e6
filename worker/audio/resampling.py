"""Changes the sample rate by windowed-sinc interpolation, in blocks. Needed only for takes that are not 24 kHz."""

from __future__ import annotations

from math import ceil, gcd
from typing import Final

import numpy as np
import numpy.typing as npt

HALF_TAPS: Final = 24
"""Zero crossings of the kernel on each side: aliases lie 80 dB below."""
BLOCK_FRAMES: Final = 16_384
ROLL_OFF: Final = 0.95
"""Share of the lower rate's band that is kept."""
_KAISER_BETA: Final = 8.0

Samples = npt.NDArray[np.float32]


def resampled(samples: Samples, rate: int, target: int) -> Samples:
    """The samples, taken at `rate`, as they would have been at `target` hertz."""
    if rate == target or not samples.size:
        return samples
    common = gcd(rate, target)
    step, phases = rate // common, target // common
    kernels = _kernels(phases, min(1.0, target / rate) * ROLL_OFF)
    reach = kernels.shape[1] // 2
    padded = np.pad(samples, reach + 1)
    parts = []
    count = round(len(samples) * target / rate)
    for start in range(0, count, BLOCK_FRAMES):
        position = np.arange(start, min(start + BLOCK_FRAMES, count), dtype=np.int64) * step
        around = padded[(position // phases)[:, np.newaxis] + np.arange(2 * reach + 1) + 1]
        parts.append(np.einsum("ij,ij->i", around, kernels[position % phases]))
    return np.concatenate(parts)


def _kernels(phases: int, scale: float) -> Samples:
    """One row of weights for each position between two samples of the original."""
    reach = ceil(HALF_TAPS / scale)
    distance = np.arange(phases)[:, np.newaxis] / phases - np.arange(-reach, reach + 1)
    inside = np.clip(1.0 - (distance / (reach + 1)) ** 2, 0.0, None)
    window = np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA)
    return np.asarray(scale * np.sinc(scale * distance) * window, np.float32)
