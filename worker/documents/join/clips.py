"""One part's take: where its speech begins and ends, how loud it is, and what its silence sounds like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pyebur128 import MeasurementMode, R128State, get_loudness_global

from worker.audio.decoding import decoded_blocks, measured
from worker.documents.errors import DocumentError

Samples = npt.NDArray[np.float32]
"""Frames by channels, full scale at 1."""

MAX_CLIP_SECONDS: Final = 900.0
"""A part is a minute long; a quarter of an hour is held in memory at most."""
FRAME_SECONDS: Final = 0.01
"""Levels are measured in frames of this length."""
ABOVE_FLOOR_DB: Final = 15.0
"""Speech is louder than the take's own noise by more than this."""
BELOW_PEAK_DB: Final = 50.0
"""No speech is softer than the loudest frame by more than this."""
FLOOR_DBFS: Final = -96.0
"""Digital silence, and the noise of 16 bits."""
TONE_SECONDS: Final = 0.1
"""The quietest stretch of this length is the take's room tone."""
MIN_LOUDNESS_SECONDS: Final = 0.4
"""One block of ITU-R BS.1770. Shorter clips have no loudness of their own."""
MIN_PAUSE_SECONDS: Final = 0.12
"""The closure of a consonant is shorter."""
_FLOOR_SHARE: Final = 0.1
_BLOCK_FRAMES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Clip:
    """A take, measured. Frames count from its beginning."""

    path: Path
    rate: int
    channels: int
    frames: int
    speech: tuple[int, int]
    """The first frame of speech, and the one after the last."""
    tone: tuple[int, int]
    """Its room tone."""
    pauses: tuple[tuple[int, int], ...]
    """Silent stretches inside its speech, of at least `MIN_PAUSE_SECONDS`."""
    floor_dbfs: float
    loudness_lufs: float | None
    """Of its speech; None if it is too short to have one."""
    pace: float = 1.0
    """At which it was measured."""


def load(path: Path, pace: float = 1.0) -> tuple[Samples, int]:
    """Return all samples, and the rate in hertz; at another pace, shorter or longer at the same pitch. Raises
    BadAudioError: It can't be decoded; DocumentError: It is empty, or longer than `MAX_CLIP_SECONDS`.
    """
    rate, _, frames = measured(path)
    if frames > MAX_CLIP_SECONDS * rate:
        limit = f"{MAX_CLIP_SECONDS / 60:.0f} minutes"
        raise DocumentError(f"{path.name} is {frames / rate / 60:.1f} minutes long; a part may have {limit}")
    blocks = list(decoded_blocks(path, _BLOCK_FRAMES))
    if not blocks:
        raise DocumentError(f"{path.name} has no samples")
    return _paced(np.concatenate(blocks), rate, pace), rate


def _paced(samples: Samples, rate: int, pace: float) -> Samples:
    if pace == 1:
        return samples
    from python_stretch import Signalsmith  # noqa: PLC0415 - most takes keep their pace

    stretch = Signalsmith.Stretch()
    stretch.preset(samples.shape[1], rate)
    stretch.setTimeFactor(pace)
    return np.ascontiguousarray(np.asarray(stretch.process(np.ascontiguousarray(samples.T)), np.float32).T)


def measure(path: Path, pace: float = 1.0) -> Clip:
    """Measure a take. Raises BadAudioError: It can't be decoded; DocumentError: It is silent, or too long."""
    samples, rate = load(path, pace)
    return clip_of(path, samples, rate, pace)


def clip_of(path: Path, samples: Samples, rate: int, pace: float = 1.0) -> Clip:
    """Measure the samples of a take. Raises DocumentError: It is silent."""
    size = max(1, round(rate * FRAME_SECONDS))
    levels = frame_levels(samples, size)
    floor = float(np.quantile(levels, _FLOOR_SHARE)) if len(levels) else FLOOR_DBFS
    threshold = _threshold(levels, floor)
    loud = np.flatnonzero(levels > threshold)
    if not len(loud):
        raise DocumentError(f"{path.name} is silent")
    speech = _edges(samples, (int(loud[0]) * size, min(len(samples), (int(loud[-1]) + 1) * size)), threshold, rate)
    return Clip(
        path,
        rate,
        samples.shape[1],
        len(samples),
        speech,
        _quietest(levels, size, rate),
        tuple(_pauses(loud, size, rate)),
        floor,
        _loudness(samples[slice(*speech)], rate),
        pace,
    )


def _edges(samples: Samples, speech: tuple[int, int], threshold: float, rate: int) -> tuple[int, int]:
    """Return the edges of speech to a millisecond."""
    fine = max(1, rate // 1_000)
    reach = round(FRAME_SECONDS * rate)
    first = np.flatnonzero(frame_levels(samples[speech[0] : speech[0] + reach], fine) > threshold)
    last = np.flatnonzero(frame_levels(samples[max(0, speech[1] - reach) : speech[1]][::-1], fine) > threshold)
    start = speech[0] + (int(first[0]) * fine if len(first) else 0)
    return start, max(start + 1, speech[1] - (int(last[0]) * fine if len(last) else 0))


def _pauses(loud: npt.NDArray[np.intp], size: int, rate: int) -> Iterator[tuple[int, int]]:
    for before, after in zip(loud[:-1].tolist(), loud[1:].tolist(), strict=True):
        if (after - before - 1) * size >= MIN_PAUSE_SECONDS * rate:
            yield (before + 1) * size, after * size


def frame_levels(samples: Samples, size: int) -> npt.NDArray[np.float64]:
    """Return the level of each frame of `size` samples in dBFS; the last one may be shorter."""
    whole = len(samples) // size * size
    powers = np.square(samples, dtype=np.float32).mean(axis=1, dtype=np.float64)
    means = powers[:whole].reshape(-1, size).mean(axis=1)
    if whole < len(samples):
        means = np.append(means, powers[whole:].mean())
    return np.asarray(np.maximum(10 * np.log10(np.maximum(means, 1e-12)), FLOOR_DBFS), np.float64)


def _threshold(levels: npt.NDArray[np.float64], floor: float) -> float:
    peak = float(levels.max()) if len(levels) else FLOOR_DBFS
    # A take without a pause has a floor of speech: then the distance from its peak decides.
    return max(min(floor + ABOVE_FLOOR_DB, peak - ABOVE_FLOOR_DB), peak - BELOW_PEAK_DB, FLOOR_DBFS)


def _quietest(levels: npt.NDArray[np.float64], size: int, rate: int) -> tuple[int, int]:
    count = min(len(levels), max(1, round(TONE_SECONDS * rate / size)))
    sums = np.convolve(10 ** (levels / 10), np.ones(count), "valid")
    start = int(sums.argmin()) * size
    return start, start + count * size


def _loudness(speech: Samples, rate: int) -> float | None:
    if len(speech) < MIN_LOUDNESS_SECONDS * rate:
        return None
    state = R128State(speech.shape[1], rate, MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(speech).ravel(), len(speech))
    loudness = float(get_loudness_global(state))
    return loudness if np.isfinite(loudness) else None
