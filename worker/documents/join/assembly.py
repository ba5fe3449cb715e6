"""Lays takes one behind the other: trimmed at their edges, levelled, and apart by room tone; turns may overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from worker.documents.errors import DocumentError
from worker.documents.join.clips import FLOOR_DBFS, Clip, Samples, clip_of, load, measure
from worker.documents.join.levelling import gains_db
from worker.documents.join.style import BETWEEN_TURNS, FADE_SECONDS, LEAD_SECONDS, TAIL_SECONDS, Style
from worker.documents.plan.plan import Gap

_AUDIBLE_FLOOR_DBFS: Final = -90.0
"""A floor below this is digital silence, which is repeated as such."""
_MAX_OVERLAPPED: Final = 0.5
"""Of the shorter of two turns: what both speakers say at the same time."""


class Take(NamedTuple):
    """A part's take, and what separates it from the next one."""

    path: Path
    gap: Gap
    pause: float | None = None
    """Seconds from its last sound to the next one's first, in place of the gap's; negative if they overlap."""
    speaker: str = ""
    gain_db: float = 0.0
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A part's place in the recording, in frames: from its kept beginning to its kept end."""

    clip: Clip
    start: int
    end: int
    cut: tuple[int, int]
    """The frames of the take that lie there."""
    gain: float
    """Factor."""
    gap_frames: int
    """Room tone behind it."""
    speaker: str = ""
    lead: int = 0
    """Frames of the take that are heard before `start`."""
    tail: int = 0
    """And behind `end`."""

    @property
    def begin(self) -> int:
        return self.start - self.lead

    def sound(self, fade: int, max_tone_dbfs: float = 0.0) -> Samples:
        """Return what is heard of it, from `begin` on, with its room tone."""
        samples, _ = load(self.clip.path, self.clip.pace)
        kept = samples[self.cut[0] - self.lead : self.cut[1] + self.tail]
        said = _faded(kept * np.float32(self.gain), fade)
        if not self.gap_frames:
            return said
        return np.concatenate((said, _tone(self, self.gap_frames, samples, max_tone_dbfs)))

    def room(self, frames: int, max_tone_dbfs: float) -> Samples:
        """Return so much of its room tone."""
        return _tone(self, frames, load(self.clip.path, self.clip.pace)[0], max_tone_dbfs)


@dataclass(frozen=True, slots=True)
class Assembly:
    rate: int
    channels: int
    placed: tuple[Placed, ...]
    max_tone_dbfs: float = 0.0
    """Of the room tone between parts."""

    @property
    def frames(self) -> int:
        return max(placed.end + placed.tail + placed.gap_frames for placed in self.placed)

    @property
    def speakers(self) -> tuple[str, ...]:
        """In the order of their first turns."""
        return tuple(dict.fromkeys(placed.speaker for placed in self.placed))

    def seconds(self, frame: int) -> float:
        return frame / self.rate

    def blocks(self) -> Iterator[Samples]:
        """Yield the recording from beginning to end; the takes of one moment are in memory at a time."""
        for layers in self.layers():
            yield (
                np.sum(list(layers.values()), axis=0, dtype=np.float32)
                if len(layers) > 1
                else next(iter(layers.values()))
            )

    def layers(self) -> Iterator[Mapping[str, Samples]]:
        """Yield it by speakers: blocks of equal length, together the recording. Absent speakers are silent."""
        fade = max(1, round(FADE_SECONDS * self.rate))
        pending: dict[str, Samples] = {}
        first = self.placed[0]
        if first.begin:
            yield {first.speaker: first.room(first.begin, self.max_tone_dbfs)}
        for placed, following in zip(self.placed, (*self.placed[1:], None), strict=True):
            _add(pending, placed.speaker, placed.sound(fade, self.max_tone_dbfs))
            length = max(map(len, pending.values()))
            ready = length if following is None else following.begin - placed.begin
            yield {speaker: _exactly(samples[:ready], ready) for speaker, samples in pending.items() if len(samples)}
            pending = {speaker: samples[ready:] for speaker, samples in pending.items() if len(samples) > ready}


def _add(pending: dict[str, Samples], speaker: str, samples: Samples) -> None:
    before = pending.get(speaker)
    if before is not None:
        length = max(len(before), len(samples))
        samples = _exactly(before, length) + _exactly(samples, length)
    pending[speaker] = samples


def _exactly(samples: Samples, length: int) -> Samples:
    missing = length - len(samples)
    return samples if missing <= 0 else np.pad(samples, ((0, missing), (0, 0)))


def assemble(takes: Sequence[tuple[Path, Gap] | Take], style: Style) -> Assembly:
    """Measure all takes and place them. Raises BadAudioError: One can't be decoded; DocumentError: There is none; one
    is silent, too long, or of another rate or number of channels than the first.
    """
    parts = [Take(*take) for take in takes]
    clips = [measure(part.path, part.pace) for part in parts]
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
    decibels = gains_db(
        clips, [part.speaker for part in parts], [part.gain_db for part in parts], levelled=style.levelled
    )
    gains = [float(10 ** (change / 20)) for change in decibels]
    has_turns = any(part.speaker or part.pause is not None for part in parts)
    places = _turns(clips, parts, gains, style) if has_turns else _places(clips, parts, gains, style)
    return Assembly(first.rate, first.channels, tuple(places))


def _places(clips: Sequence[Clip], parts: Sequence[Take], gains: Sequence[float], style: Style) -> Iterator[Placed]:
    gaps = [style.gaps[part.gap] for part in parts[:-1]] + [style.tail_seconds]
    at = round(style.head_seconds * clips[0].rate)
    for clip, seconds, gain in zip(clips, gaps, gains, strict=True):
        start, end = clip.speech
        cut = max(0, start - round(LEAD_SECONDS * clip.rate)), end + round(TAIL_SECONDS * clip.rate)
        length = min(cut[1], clip.frames) - cut[0]
        gap = round(seconds * clip.rate)
        yield Placed(clip, at, at + length, (cut[0], cut[0] + length), gain, gap)
        at += length + gap


def _turns(clips: Sequence[Clip], parts: Sequence[Take], gains: Sequence[float], style: Style) -> Iterator[Placed]:
    """Place takes by their first and last sounds, so that pauses between them are exact to a millisecond."""
    edges = [_edges(clip) for clip in clips]
    starts = [edges[0][0] + round(style.head_seconds * clips[0].rate)]
    for (before, after), part in zip(pairwise(clips), parts, strict=False):
        length, following = (clip.speech[1] - clip.speech[0] for clip in (before, after))
        pause = round(_pause(part, style) * before.rate)
        overlap = -round(_MAX_OVERLAPPED * min(length, following))
        starts.append(starts[-1] + length + max(pause, overlap))
    ends = [start + clip.speech[1] - clip.speech[0] for start, clip in zip(starts, clips, strict=True)]
    for index, (clip, part, (lead, tail)) in enumerate(zip(clips, parts, edges, strict=True)):
        last = index == len(clips) - 1
        end = round(style.tail_seconds * clip.rate)
        gap = end if last else max(0, starts[index + 1] - edges[index + 1][0] - ends[index] - tail)
        yield Placed(clip, starts[index], ends[index], clip.speech, gains[index], gap, part.speaker, lead, tail)


def with_pause(samples: Samples, rate: int, seconds: float) -> Samples:
    """Return one take as it lies in a recording, with the pause behind it. A silent take stays as it is."""
    path = Path("take")
    try:
        clip = clip_of(path, samples, rate)
    except DocumentError:
        return samples
    (placed,) = _places([clip], [Take(path, Gap.END)], [1.0], Style())
    spoken = _faded(samples[slice(*placed.cut)], max(1, round(FADE_SECONDS * rate)))
    frames = round(seconds * rate)
    return np.concatenate((spoken, _tone(placed, frames, samples))) if frames else spoken


def _edges(clip: Clip) -> tuple[int, int]:
    """Return the frames that are kept before the first sound and behind the last one."""
    lead = min(clip.speech[0], round(LEAD_SECONDS * clip.rate))
    return lead, min(clip.frames - clip.speech[1], round(TAIL_SECONDS * clip.rate))


def _pause(part: Take, style: Style) -> float:
    if part.pause is not None:
        return part.pause
    return style.gaps[part.gap] + (0.0 if part.gap in BETWEEN_TURNS else LEAD_SECONDS + TAIL_SECONDS)


def _faded(samples: Samples, fade: int) -> Samples:
    fade = min(fade, len(samples) // 2)
    if fade:
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype(np.float32)[:, None]
        samples = samples.copy()
        samples[:fade] *= ramp
        samples[-fade:] *= ramp[::-1]
    return samples


def _tone(placed: Placed, frames: int, samples: Samples, max_dbfs: float = 0.0) -> Samples:
    """Repeat a take's own room tone, forwards and backwards by turns, so that no repetition clicks."""
    clip = placed.clip
    tone = samples[slice(*clip.tone)]
    if clip.floor_dbfs <= max(FLOOR_DBFS, _AUDIBLE_FLOOR_DBFS) or not len(tone):
        return np.zeros((frames, clip.channels), np.float32)
    both = np.concatenate((tone, tone[::-1]))
    gain = min(placed.gain, 10 ** ((max_dbfs - clip.floor_dbfs) / 20))
    return np.resize(both, (frames, clip.channels)) * np.float32(gain)
