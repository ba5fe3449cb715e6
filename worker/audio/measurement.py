"""How a take sounds, measured in one pass over its samples, a second at a time. Judges nothing.

Importing it costs numpy: import it where a take is measured, inside the function.
"""

from __future__ import annotations

import math
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from worker.audio.loudness import Powers, integrated, weighted_powers
from worker.audio.measures import FLOOR_DBFS, Measures
from worker.audio.repetition import MAX_OUTLINE_SAMPLES, most_alike, outline_step
from worker.audio.samples import Block, blocks
from worker.audio.take import Take

FRAMES_PER_SECOND: Final = 100
"""Levels are taken every 10 ms."""
FRAMES_PER_PIECE: Final = 10
"""Loudness is taken every 100 ms."""
ROW_BLOCKS_PER_BLOCK: Final = 10
"""About a second is held at a time; what is kept of it is a few hundredths as large."""
SILENCE_DBFS: Final = -50.0
"""Root mean square of a frame in which nothing is heard: 30 dB below ordinary speech."""
SILENCE_BELOW_PEAK_DB: Final = -40.0
"""A whisper is quiet without being silent: where the peak is low, silence lies so far below it."""
AT_ONCE: Final = 2
"""Takes that a process measures at the same moment; more would gain no time."""
LONG_SECONDS: Final = 120
"""Of longer takes one at a time is measured: ten minutes need 80 MB."""

_AT_ONCE: Final = threading.BoundedSemaphore(AT_ONCE)
_LONG: Final = threading.Lock()


@dataclass(slots=True)
class _Tally:
    """What is kept of the blocks that have gone by."""

    peak: float = 0.0
    levels: list[Powers] = field(default_factory=list)
    """Mean square of each frame, averaged over the channels."""
    loudnesses: list[Powers] = field(default_factory=list)
    """K-weighted mean square of each piece, summed over the channels."""
    outline: list[npt.NDArray[np.float32]] = field(default_factory=list)
    outline_samples: int = 0


def measure(take: Take) -> Measures:
    """Measure an accepted take. Raises BadAudioError: `unreadable`, where a container turns out damaged in its midst;
    OSError: the file can't be read.
    """
    frame = max(1, take.sample_rate // FRAMES_PER_SECOND)
    step = outline_step(take.sample_rate, frame)
    tally, count = _Tally(), 0
    with _LONG if take.frames > LONG_SECONDS * take.sample_rate else nullcontext(), _AT_ONCE:
        for block in blocks(take, frame * FRAMES_PER_PIECE * ROW_BLOCKS_PER_BLOCK):
            _add(tally, block, take.sample_rate, frame, step)
            count += block.shape[1]
        return _summary(tally, count, take.sample_rate, frame, step)


def _add(tally: _Tally, block: Block, sample_rate: int, frame: int, step: int) -> None:
    tally.peak = max(tally.peak, float(block.max()), -float(block.min()))
    whole = -(-block.shape[1] // frame)
    piece = frame * FRAMES_PER_PIECE
    if short := -block.shape[1] % piece:
        block = np.pad(block, ((0, 0), (0, short)))
    frames = block.reshape(len(block), -1, frame)[:, :whole]
    powers = np.einsum("cfs,cfs->f", frames, frames) / (frame * len(block))
    tally.levels.append(powers.astype(np.float64))
    weighted = [weighted_powers(channel.reshape(-1, piece), sample_rate) for channel in block]
    tally.loudnesses.append(np.add.reduce(weighted))
    # One sample beyond the bound is enough to know that the take is too long to be held against itself.
    if tally.outline_samples <= MAX_OUTLINE_SAMPLES:
        # A product: the mean of rows as short as these takes four times as long.
        tally.outline.append(block[0].reshape(-1, step) @ np.full(step, 1 / step, dtype=np.float32))
        tally.outline_samples += len(tally.outline[-1])


def _summary(tally: _Tally, count: int, sample_rate: int, frame: int, step: int) -> Measures:
    duration = count / sample_rate
    if not count:
        return Measures(0.0, FLOOR_DBFS, integrated(np.zeros(1)), 0.0, 0.0, 0.0)
    peak = _decibels(tally.peak)
    silent = np.concatenate(tally.levels) < 10 ** (min(SILENCE_DBFS, peak + SILENCE_BELOW_PEAK_DB) / 10)
    longest, tail = _stretches(silent)
    shift, likeness = most_alike(np.concatenate(tally.outline)[: math.ceil(count / step)], sample_rate / step)
    return Measures(
        duration_s=duration,
        peak_dbfs=peak,
        loudness_lufs=integrated(np.concatenate(tally.loudnesses)),
        silence_share=float(silent.mean()),
        longest_silence_s=min(duration, longest * frame / sample_rate),
        tail_silence_s=min(duration, tail * frame / sample_rate),
        repeat_after_s=shift,
        repeat_likeness=likeness,
    )


def _decibels(amplitude: float) -> float:
    return max(FLOOR_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DBFS


def _stretches(silent: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The longest run of silent frames, and the last one if the take ends in it."""
    sounding = np.flatnonzero(~silent)
    if not sounding.size:
        return len(silent), len(silent)
    gaps = np.diff(sounding, prepend=-1, append=len(silent)) - 1
    return int(gaps.max()), int(gaps[-1])
