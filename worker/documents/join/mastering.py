"""Brings a recording to a publisher's loudness without exceeding its peak, in two passes over its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pyebur128 import MeasurementMode, R128State, get_loudness_global, get_true_peak

from worker.documents.join.clips import Samples
from worker.documents.join.style import Preset

LIMITER_SECONDS: Final = 0.005
"""The limiter turns down over this time before a peak, and up again behind it."""
MARGIN_DB: Final = 0.3
"""Between samples the wave rises above them; the limiter sees samples only."""
MAX_GAIN_DB: Final = 30.0
"""A recording that needs more is noise."""


@dataclass(frozen=True, slots=True)
class Loudness:
    lufs: float
    """Integrated; minus infinity for silence."""
    true_peak_dbtp: float


class Meter:
    """Measures blocks as they pass."""

    def __init__(self, channels: int, rate: int, *, with_peak: bool) -> None:
        """`with_peak` costs four times as much: a true peak is looked for between samples."""
        mode = MeasurementMode.MODE_I | (MeasurementMode.MODE_TRUE_PEAK if with_peak else 0)
        self._state = R128State(channels, rate, mode)
        self._channels = channels

    def passing(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        for block in blocks:
            self._state.add_frames(np.ascontiguousarray(block).ravel(), len(block))
            yield block

    def lufs(self) -> float:
        """Return the integrated loudness; minus infinity for silence."""
        return float(get_loudness_global(self._state))

    def loudness(self) -> Loudness:
        """Return both figures. Needs `with_peak`."""
        peak = max(get_true_peak(self._state, channel) for channel in range(self._channels))
        return Loudness(self.lufs(), decibels(peak))


def decibels(amplitude: float) -> float:
    """Return the level of an amplitude; minus infinity for silence."""
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else float("-inf")


def gain_for(preset: Preset, lufs: float) -> float:
    """Return the factor that brings a recording to the preset's loudness."""
    if preset.lufs is None or not np.isfinite(lufs):
        return 1.0
    return float(10 ** (min(preset.lufs - lufs, MAX_GAIN_DB) / 20))


def mastered(blocks: Iterable[Samples], gain: float, preset: Preset, rate: int) -> Iterator[Samples]:
    """Apply a gain, and turn down what would exceed the preset's peak."""
    limiter = _limiter(preset, rate)
    for block in blocks:
        for held, factors in limiter.feed(block * np.float32(gain)):
            yield held * factors[:, None]
    for held, factors in limiter.rest():
        yield held * factors[:, None]


def mastered_layers(layers: Iterable[Samples], gain: float, preset: Preset, rate: int) -> Iterator[Samples]:
    """As `mastered`, for blocks whose first axis is the speaker: their sum is what may not exceed the peak."""
    limiter = _limiter(preset, rate)
    pending: Samples | None = None
    for block in layers:
        louder = block * np.float32(gain)
        pending = louder if pending is None else np.concatenate((pending, louder), axis=1)
        for _, factors in limiter.feed(louder.sum(axis=0, dtype=np.float32)):
            yield pending[:, : len(factors)] * factors[None, :, None]
            pending = pending[:, len(factors) :]
    for _, factors in limiter.rest():
        if pending is not None:
            yield pending[:, : len(factors)] * factors[None, :, None]


def _limiter(preset: Preset, rate: int) -> _Limiter:
    return _Limiter(10 ** ((preset.peak_dbtp - MARGIN_DB) / 20), max(1, round(LIMITER_SECONDS * rate)))


_Limited = Iterator[tuple[Samples, npt.NDArray[np.float32]]]
"""Frames, and the factor of each."""


class _Limiter:
    """Holds back `reach` frames, so that it turns down before a peak comes."""

    def __init__(self, ceiling: float, reach: int) -> None:
        self._ceiling, self._reach = ceiling, reach
        self._held: Samples | None = None
        """Frames whose surroundings are not all known: `reach` that were sent, and those that follow."""
        self._sent = 0

    def feed(self, block: Samples) -> _Limited:
        if not len(block):
            return
        self._held = block if self._held is None else np.concatenate((self._held, block))
        yield from self._ready(len(self._held) - self._reach)

    def rest(self) -> _Limited:
        if self._held is not None:
            yield from self._ready(len(self._held))

    def _ready(self, end: int) -> _Limited:
        held, reach = self._held, self._reach
        if held is None or end <= self._sent:
            return
        yield held[self._sent : end], self._factors(held)[self._sent : end]
        kept = max(0, end - 2 * reach)
        self._held, self._sent = held[kept:], end - kept

    def _factors(self, held: Samples) -> npt.NDArray[np.float32]:
        """Return a smooth curve that is nowhere above what each frame allows."""
        peaks = np.abs(held).max(axis=1)
        if float(peaks.max()) <= self._ceiling:
            return np.ones(len(held), np.float32)
        allowed = np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-9))
        padded = np.pad(allowed, self._reach, constant_values=1.0)
        lowest = np.lib.stride_tricks.sliding_window_view(padded, self._reach + 1).min(axis=1)
        window = np.hanning(self._reach + 3)[1:-1]
        return np.asarray(np.convolve(lowest, window / window.sum(), "valid"), np.float32)
