"""Whether a take says the same thing over: the wave held against itself, shifted. Knows no words.

It finds the wave that comes back, as when pieces are joined twice; the same words spoken anew are another wave.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

OUTLINE_HZ: Final = 2_000
"""The rate of the outline that is compared: pitch and the lowest formants are in it, and a shift of half a sample
still leaves three quarters of the likeness."""
MAX_OUTLINE_SAMPLES: Final = 700 * OUTLINE_HZ
"""Longer takes are not compared, to bound memory; the vendor's longest are about 655 s."""
MIN_SHIFT_S: Final = 0.25
"""A single vowel is like itself at any shorter shift."""
SHIFTS: Final = (0.24, 0.52)
"""Parts of the duration. Of what is said two, three, four or more times, one multiple always falls between."""
SAME_LIKENESS: Final = 0.75
"""Relative to the best likeness. A sound that occurs four times matches at several distances: report the farthest."""

QUIET_SHARE: Final = 0.01
"""Of the energy: a part with less is silence, in which rounding alone would look like a likeness."""


def outline_step(sample_rate: int, frame: int) -> int:
    """How many samples make one of the outline: a divisor of `frame`, so that no block leaves a rest."""
    wanted = max(1, sample_rate // OUTLINE_HZ)
    return next(step for step in range(min(wanted, frame), 0, -1) if frame % step == 0)


def most_alike(outline: npt.NDArray[np.float32], rate: float) -> tuple[float, float]:
    """The shift in seconds at which the outline is most like itself, to a wave or two, and its likeness (0 to 1)."""
    total = len(outline)
    first, last = max(int(SHIFTS[0] * total), int(MIN_SHIFT_S * rate)), int(SHIFTS[1] * total)
    if first >= last or total > MAX_OUTLINE_SAMPLES:
        return 0.0, 0.0
    shifts = np.arange(first, last)
    likeness = _products(outline, last)[shifts] / _energies(outline, shifts)
    best = float(likeness.max())
    farthest = int(np.flatnonzero(likeness >= best * SAME_LIKENESS)[-1])
    return float(shifts[farthest] / rate), min(1.0, max(0.0, best))


def _products(outline: npt.NDArray[np.float32], longest_shift: int) -> npt.NDArray[np.float32]:
    """The sum over the outline times its shifted self, by shift."""
    size = _quick_size(len(outline) + longest_shift)
    spectrum = np.fft.rfft(outline, size)
    powers = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.fft.irfft(powers, size).astype(np.float32, copy=False)


def _energies(outline: npt.NDArray[np.float32], shifts: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """What that sum would be if both parts were the same, by shift; never zero.

    Where one part is next to silent there is nothing to be alike: it counts as so loud that nothing is.
    """
    energy = np.concatenate(([0.0], np.cumsum(np.square(outline, dtype=np.float64))))
    kept, cut = energy[len(outline) - shifts], energy[-1] - energy[shifts]
    least = max(1e-9, QUIET_SHARE * float(energy[-1]))
    largest: npt.NDArray[np.float64] = np.maximum(np.sqrt(np.maximum(kept * cut, 0.0)), least)
    return largest


def _quick_size(samples: int) -> int:
    """A little more, with small prime factors only: transforms of other sizes take many times as long."""
    step = 1 << max(0, samples.bit_length() - 4)
    return -(-samples // step) * step
