"""When each sentence of a recording is heard, and how that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from worker.documents.join.assembly import Assembly, Placed
from worker.documents.plan.duration import Durations
from worker.documents.plan.sentences import boundaries
from worker.documents.plan.unbreakable import Unbreakable

MAX_SNAP_SECONDS: Final = 2.0
"""A pause further from the estimate than this belongs to another place."""


class TimeSource(StrEnum):
    """How the beginning of a cue is known."""

    SEAM = "seam"
    """A part begins there: exact."""
    PAUSE = "pause"
    """The nearest pause to the estimate."""
    ESTIMATE = "estimate"
    """The share of the part's letters, where no pause is near."""


CONFIDENCE: Final = {TimeSource.SEAM: 1.0, TimeSource.PAUSE: 0.7, TimeSource.ESTIMATE: 0.4}
"""Between 0 and 1. Not measured: only their order has a meaning."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A sentence, in seconds from the beginning of the recording."""

    start: float
    end: float
    text: str
    source: TimeSource
    part: int
    """Index of the part that holds it."""

    @property
    def confidence(self) -> float:
        return CONFIDENCE[self.source]


def sentence_cues(spoken: Sequence[str], language: str, assembly: Assembly) -> list[Cue]:
    """Return a cue for each sentence, in order and without overlaps.

    Args:
        spoken: The text of each part.
        language: Its primary language.
        assembly: Of the parts' takes, in the same order.
    """
    cues: list[Cue] = []
    for index, (text, placed) in enumerate(zip(spoken, assembly.placed, strict=True)):
        texts = _sentences(text, language)
        starts = _starts(texts, placed, assembly)
        ends = [start for start, _ in starts[1:]] + [assembly.seconds(placed.end)]
        cues += [
            Cue(start, end, sentence.strip(), source, index)
            for (start, source), end, sentence in zip(starts, ends, texts, strict=True)
        ]
    return cues


def _sentences(text: str, language: str) -> list[str]:
    ends = [0, *boundaries(text, language, Unbreakable(text), 0), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if text[start:end].strip()]


def _starts(texts: Sequence[str], placed: Placed, assembly: Assembly) -> list[tuple[float, TimeSource]]:
    """Return when each sentence of a part begins: shares of its speech, moved to the nearest pauses in order."""
    begin, speech = assembly.seconds(placed.start), _speech_seconds(placed, assembly)
    starts = [(begin, TimeSource.SEAM)]
    pauses = list(_pause_ends(placed, assembly))
    for share in _shares(texts):
        estimate = begin + share * speech
        usable = [pause for pause in pauses if pause > starts[-1][0] and abs(pause - estimate) <= MAX_SNAP_SECONDS]
        if usable:
            starts.append((min(usable, key=lambda pause: abs(pause - estimate)), TimeSource.PAUSE))
        else:
            starts.append((max(estimate, starts[-1][0]), TimeSource.ESTIMATE))
    return starts


def _speech_seconds(placed: Placed, assembly: Assembly) -> float:
    return assembly.seconds(placed.end - placed.start)


def _pause_ends(placed: Placed, assembly: Assembly) -> Iterator[float]:
    for _, end in placed.clip.pauses:
        yield assembly.seconds(placed.start + end - placed.cut[0])


def _shares(texts: Sequence[str]) -> Iterator[float]:
    """Yield which share of the whole lies before each sentence but the first."""
    whole = "".join(texts)
    durations, at = Durations(whole), 0
    total = durations(0, len(whole)) or 1.0
    for text in texts[:-1]:
        at += len(text)
        yield durations(0, at) / total
