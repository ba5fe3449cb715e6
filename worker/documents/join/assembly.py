"""Lays takes one behind the other: trimmed at their edges, levelled, and apart by room tone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from worker.documents.errors import DocumentError
from worker.documents.join.clips import FLOOR_DBFS, Clip, Samples, load, measure
from worker.documents.join.style import FADE_SECONDS, LEAD_SECONDS, MAX_LEVELLING_DB, TAIL_SECONDS, Style
from worker.documents.plan.plan import Gap

_AUDIBLE_FLOOR_DBFS: Final = -90.0
"""A floor below this is digital silence, which is repeated as such."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A part's place in the recording, in frames: from its kept beginning to its kept end."""

    clip: Clip
    start: int
    end: int
    cut: tuple[int, int]
    """The frames of the take that are kept."""
    gain: float
    """Factor."""
    gap_frames: int
    """Room tone behind it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    rate: int
    channels: int
    placed: tuple[Placed, ...]

    @property
    def frames(self) -> int:
        last = self.placed[-1]
        return last.end + last.gap_frames

    def seconds(self, frame: int) -> float:
        return frame / self.rate

    def blocks(self) -> Iterator[Samples]:
        """Yield the recording from beginning to end; one part's take is in memory at a time."""
        fade = max(1, round(FADE_SECONDS * self.rate))
        for placed in self.placed:
            samples, _ = load(placed.clip.path)
            yield _faded(samples[slice(*placed.cut)] * np.float32(placed.gain), fade)
            if placed.gap_frames:
                yield _tone(placed, placed.gap_frames, samples)


def assemble(takes: Sequence[tuple[Path, Gap]], style: Style) -> Assembly:
    """Measure all takes and place them. Raises BadAudioError: One can't be decoded; DocumentError: There is none; one
    is silent, too long, or of another rate or number of channels than the first.
    """
    clips = [measure(path) for path, _ in takes]
    if not clips:
        raise DocumentError("there is no take to join")
    first = clips[0]
    for clip in clips:
        if (clip.rate, clip.channels) != (first.rate, first.channels):
            raise DocumentError(
                f"{clip.path.name} has {clip.rate:,} Hz and {clip.channels} channel(s),"
                f" {first.path.name} has {first.rate:,} Hz and {first.channels}",
                "speak all parts with the same model and format",
            )
    gaps = [style.gaps[gap] for _, gap in takes[:-1]] + [0.0]
    return Assembly(first.rate, first.channels, tuple(_places(clips, gaps, style)))


def _places(clips: Sequence[Clip], gaps: Sequence[float], style: Style) -> Iterator[Placed]:
    usual = _median_loudness(clips) if style.levelled else None
    at = 0
    for clip, seconds in zip(clips, gaps, strict=True):
        start, end = clip.speech
        cut = max(0, start - round(LEAD_SECONDS * clip.rate)), end + round(TAIL_SECONDS * clip.rate)
        length = min(cut[1], clip.frames) - cut[0]
        gap = round(seconds * clip.rate)
        yield Placed(clip, at, at + length, (cut[0], cut[0] + length), _gain(clip, usual), gap)
        at += length + gap


def _median_loudness(clips: Sequence[Clip]) -> float | None:
    known = [clip.loudness_lufs for clip in clips if clip.loudness_lufs is not None]
    return median(known) if known else None


def _gain(clip: Clip, usual: float | None) -> float:
    if usual is None or clip.loudness_lufs is None:
        return 1.0
    change = max(-MAX_LEVELLING_DB, min(MAX_LEVELLING_DB, usual - clip.loudness_lufs))
    return float(10 ** (change / 20))


def _faded(samples: Samples, fade: int) -> Samples:
    fade = min(fade, len(samples) // 2)
    if fade:
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype(np.float32)[:, None]
        samples = samples.copy()
        samples[:fade] *= ramp
        samples[-fade:] *= ramp[::-1]
    return samples


def _tone(placed: Placed, frames: int, samples: Samples) -> Samples:
    """Repeat a take's own room tone, forwards and backwards by turns, so that no repetition clicks."""
    clip = placed.clip
    tone = samples[slice(*clip.tone)]
    if clip.floor_dbfs <= max(FLOOR_DBFS, _AUDIBLE_FLOOR_DBFS) or not len(tone):
        return np.zeros((frames, clip.channels), np.float32)
    both = np.concatenate((tone, tone[::-1]))
    return np.resize(both, (frames, clip.channels)) * np.float32(placed.gain)
