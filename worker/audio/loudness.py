"""Integrated loudness by ITU-R BS.1770-4 from the spectra of short pieces, at any sample rate, without a filter's loop.

Each piece is treated as periodic, so a sound that begins or ends inside it is weighted a little wrong:
against the recommendation's own filters the figure for speech is right within a tenth of a decibel.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from worker.audio.measures import FLOOR_LUFS

Powers = npt.NDArray[np.float64]

DESIGN_HZ: Final = 48_000
"""The sample rate of the recommendation's filters."""
SHELF: Final = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
"""The effect of the head (table 1), as coefficients before and after the fraction stroke."""
HIGH_PASS: Final = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
"""What the ear misses in the bass (table 2)."""
OFFSET_DB: Final = -0.691
"""Makes up for the shelf's gain at 1 kHz."""
ROW_BLOCKS_PER_BLOCK: Final = 4
"""Gating blocks of 400 ms begin every 100 ms, the length of a piece."""
RELATIVE_GATE_LU: Final = -10.0


def weighted_powers(pieces: npt.NDArray[np.float32], sample_rate: int) -> Powers:
    """The K-weighted mean square of each row of samples."""
    spectra = np.fft.rfft(pieces)
    squares = np.square(spectra.real)
    squares += np.square(spectra.imag)
    powers: Powers = np.matmul(squares, _weights(pieces.shape[1], sample_rate)).astype(np.float64)
    return powers


def integrated(powers: Powers) -> float:
    """LUFS of consecutive pieces of 100 ms, given the sums of their channels' weighted powers."""
    blocks = _blocks(powers)
    audible = blocks[blocks > _power(FLOOR_LUFS)]
    if not audible.size:
        return FLOOR_LUFS
    loud = audible[audible > _power(_level(float(audible.mean())) + RELATIVE_GATE_LU)]
    return max(FLOOR_LUFS, _level(float(loud.mean())))


def _blocks(powers: Powers) -> Powers:
    """The mean of every four neighbours; a take shorter than that is one block."""
    if len(powers) <= ROW_BLOCKS_PER_BLOCK:
        return np.array([powers.mean()])
    means: Powers = np.convolve(powers, np.full(ROW_BLOCKS_PER_BLOCK, 1 / ROW_BLOCKS_PER_BLOCK), "valid")
    return means


def _level(power: float) -> float:
    return OFFSET_DB + 10 * math.log10(power)


def _power(level: float) -> float:
    return float(10 ** ((level - OFFSET_DB) / 10))


@lru_cache(maxsize=8)
def _weights(samples: int, sample_rate: int) -> npt.NDArray[np.float32]:
    """By frequency of a real spectrum: the filters' gain in power, and what makes the sum a mean square."""
    hertz = np.minimum(np.fft.rfftfreq(samples, 1 / sample_rate), DESIGN_HZ / 2)
    delay = np.exp(-2j * np.pi * hertz / DESIGN_HZ)
    gain = np.ones(len(hertz))
    for above, below in (SHELF, HIGH_PASS):
        gain *= np.abs(np.polyval(above[::-1], delay) / np.polyval(below[::-1], delay)) ** 2
    twice = np.full(len(hertz), 2.0)
    twice[0] = 1
    if samples % 2 == 0:
        twice[-1] = 1
    weights: npt.NDArray[np.float32] = (gain * twice / samples**2).astype(np.float32)
    return weights
