"""How much louder or softer each take becomes: parts of one voice near their median, speakers at one loudness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Final

from worker.documents.join.clips import Clip
from worker.documents.join.style import MAX_LEVELLING_DB, MAX_SPEAKER_DB

_NOTHING: Final = 0.0


def gains_db(
    clips: Sequence[Clip], speakers: Sequence[str], extra_db: Sequence[float], *, levelled: bool
) -> list[float]:
    """Return the gain of each take in decibels. `extra_db` is added to it: what the cast says."""
    if not levelled:
        return list(extra_db)
    usual = {speaker: median(known) for speaker, known in _known(clips, speakers).items()}
    target = median(usual.values()) if usual else _NOTHING
    return [
        extra + _of_speaker(usual.get(speaker), target) + _of_clip(clip, usual.get(speaker))
        for clip, speaker, extra in zip(clips, speakers, extra_db, strict=True)
    ]


def _known(clips: Sequence[Clip], speakers: Sequence[str]) -> dict[str, list[float]]:
    """Return the loudness of each speaker's takes; those too short have none."""
    found: dict[str, list[float]] = defaultdict(list)
    for clip, speaker in zip(clips, speakers, strict=True):
        if clip.loudness_lufs is not None:
            found[speaker].append(clip.loudness_lufs)
    return found


def _of_speaker(usual: float | None, target: float) -> float:
    return _NOTHING if usual is None else _within(target - usual, MAX_SPEAKER_DB)


def _of_clip(clip: Clip, usual: float | None) -> float:
    if usual is None or clip.loudness_lufs is None:
        return _NOTHING
    return _within(usual - clip.loudness_lufs, MAX_LEVELLING_DB)


def _within(change: float, most: float) -> float:
    return max(-most, min(most, change))
