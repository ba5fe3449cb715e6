"""Changes the sample rate of audio in blocks: a polyphase filter of windowed sinc functions.

Its weakness: frequencies within 5 % of the lower rate's limit are damped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, gcd
from typing import Final

import numpy as np
import numpy.typing as npt

from worker.audio.samples import Block

HALF_WIDTH: Final = 32
"""Samples on each side of an output sample, at the lower of the two rates."""
KAISER_BETA: Final = 9.0
"""About 90 dB of stop band attenuation (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5.3)."""
ROLL_OFF: Final = 0.95
OUTPUTS_AT_ONCE: Final = 16_384
"""Bounds memory: each output sample gathers all of its filter's inputs."""


def resampled(blocks: Iterable[Block], source_rate: int, target_rate: int) -> Iterator[Block]:
    """The same sound at `target_rate`, as long as before to within one sample."""
    if source_rate == target_rate:
        yield from blocks
        return
    resampler = _Resampler(source_rate, target_rate)
    for block in blocks:
        yield from resampler.feed(block)
    yield from resampler.rest()


def resampled_samples(samples: Block, source_rate: int, target_rate: int) -> Block:
    """One channel at `target_rate`, as a whole."""
    if source_rate == target_rate or not samples.size:
        return samples
    made = np.concatenate(list(resampled([samples[np.newaxis]], source_rate, target_rate)), axis=1)
    return made[0, : round(len(samples) * target_rate / source_rate)]


class _Resampler:
    def __init__(self, source_rate: int, target_rate: int) -> None:
        shared = gcd(source_rate, target_rate)
        self._up, self._down = target_rate // shared, source_rate // shared
        self._half = ceil(HALF_WIDTH * max(1.0, source_rate / target_rate))
        self._filters = _filters(self._up, self._half, min(1.0, target_rate / source_rate) * ROLL_OFF)
        self._held: Block | None = None
        """Input that later outputs need; begins at `_start`."""
        self._start = 1 - self._half
        self._frames = 0
        self._next = 0
        """The next output sample."""

    def feed(self, block: Block) -> Iterator[Block]:
        if self._held is None:
            self._held = np.zeros((len(block), self._half - 1), np.float32)
        self._frames += block.shape[1]
        self._held = np.concatenate((self._held, block), axis=1)
        reach = self._frames - self._half
        yield from self._outputs(ceil(reach * self._up / self._down) if reach > 0 else 0)

    def rest(self) -> Iterator[Block]:
        if self._held is not None:
            self._held = np.pad(self._held, ((0, 0), (0, self._half + 1)))
            yield from self._outputs(ceil(self._frames * self._up / self._down))

    def _outputs(self, end: int) -> Iterator[Block]:
        while self._next < end and self._held is not None:
            places = np.arange(self._next, min(end, self._next + OUTPUTS_AT_ONCE), dtype=np.int64) * self._down
            first = places // self._up + 1 - self._half - self._start
            windows = np.lib.stride_tricks.sliding_window_view(self._held, 2 * self._half, axis=1)[:, first]
            yield np.asarray(np.einsum("cnk,nk->cn", windows, self._filters[places % self._up]), np.float32)
            self._next += len(places)
            unused = int((self._next * self._down) // self._up + 1 - self._half) - self._start
            self._held, self._start = self._held[:, unused:], self._start + unused


def _filters(phases: int, half: int, cutoff: float) -> npt.NDArray[np.float32]:
    """One row for each position between two inputs; each row sums to one, so that levels are kept."""
    offsets = np.arange(1 - half, half + 1)[None, :] - np.arange(phases)[:, None] / phases
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, 1))) / np.i0(KAISER_BETA)
    rows = np.sinc(offsets * cutoff) * window
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), np.float32)
