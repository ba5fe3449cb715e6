"""When each sentence of a recording is heard, and how that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from worker.documents.join.assembly import Assembly, Placed
from worker.documents.plan.duration import Durations
from worker.documents.plan.sentences import boundaries
from worker.documents.plan.unbreakable import Unbreakable

if TYPE_CHECKING:
    from worker.text.lexicon.edits import Edit

MAX_SNAP_SECONDS: Final = 2.0
"""A pause further from the estimate than this belongs to another place."""


class TimeSource(StrEnum):
    """How the beginning of a cue is known. Cues that begin with a recognised word have the word's source."""

    SEAM = "seam"
    """A part begins there: exact."""
    PAUSE = "pause"
    """The nearest pause to the estimate."""
    ESTIMATE = "estimate"
    """The share of the part's letters, where no pause is near."""


CONFIDENCE: Final = {TimeSource.SEAM: 1.0, TimeSource.PAUSE: 0.7, TimeSource.ESTIMATE: 0.4}
"""Between 0 and 1. Not measured: only their order has a meaning."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, and when it is heard, in seconds."""

    start: float
    end: float
    char_start: int
    char_end: int
    source: str
    confidence: float
    """Between 0 and 1."""

    def moved(self, seconds: float, characters: int) -> Span:
        return Span(
            max(0.0, self.start + seconds),
            max(0.0, self.end + seconds),
            self.char_start + characters,
            self.char_end + characters,
            self.source,
            self.confidence,
        )


Heard = Mapping[int, Sequence[Span]]
"""The words of a part's take, by the part's index: in seconds of the take, and characters of the part's text."""
NOTHING_HEARD: Final[Heard] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Cue:
    """A sentence, in seconds from the beginning of the recording."""

    start: float
    end: float
    text: str
    source: str
    part: int
    """Index of the part that holds it."""
    confidence: float = 1.0
    speaker: str = ""


def sentence_cues(
    spoken: Sequence[str],
    language: str,
    assembly: Assembly,
    heard: Heard = NOTHING_HEARD,
    edits: Mapping[int, Sequence[Edit]] | None = None,
) -> list[Cue]:
    """Return a cue for each sentence, in order; they overlap where speakers do.

    Args:
        spoken: The text of each part.
        language: Its primary language.
        assembly: Of the parts' takes, in the same order.
        heard: Words of the takes, where they are known.
        edits: By the number of a part, from 1: where its text differs from what is shown.
    """
    return [
        Cue(span.start, span.end, shown, span.source, index, span.confidence, speaker=assembly.placed[index].speaker)
        for index, text in enumerate(spoken)
        for span in sentence_spans(text, language, assembly, index, heard)
        if (shown := written(text, span.char_start, span.char_end, (edits or {}).get(index + 1, ())).strip())
    ]


def written(text: str, start: int, end: int, edits: Sequence[Edit]) -> str:
    """Return a stretch of a part's text as it was written. An edit belongs to the stretch that it begins in."""
    pieces, at = [], start
    for edit in edits:
        if edit.start < end and edit.end > start:
            pieces += [text[at : edit.start], edit.original] if edit.start >= start else []
            at = min(edit.end, end)
    return "".join([*pieces, text[at:end]])


def sentence_spans(text: str, language: str, assembly: Assembly, part: int, heard: Heard) -> list[Span]:
    """Return the sentences of a part, in seconds of the recording and characters of the part's text."""
    found = list(_sentences(text, language))
    by_pauses = _by_pauses(text, found, assembly.placed[part], assembly)
    words = part_words(assembly, part, heard)
    return _by_words(by_pauses, words) if words else by_pauses


def part_words(assembly: Assembly, part: int, heard: Heard) -> list[Span]:
    """Return the words of a part in seconds of the recording, kept inside the part."""
    placed = assembly.placed[part]
    start, end = assembly.seconds(placed.start), assembly.seconds(placed.end)
    moved = [word.moved(assembly.seconds(placed.start - placed.cut[0]), 0) for word in heard.get(part, ())]
    return [_within(word, start, end) for word in moved]


def _within(span: Span, first: float, last: float) -> Span:
    start, end = min(max(span.start, first), last), min(max(span.end, first), last)
    return Span(start, end, span.char_start, span.char_end, span.source, span.confidence)


def _sentences(text: str, language: str) -> Iterator[tuple[int, int]]:
    ends = [0, *boundaries(text, language, Unbreakable(text), 0), len(text)]
    for start, end in pairwise(ends):
        if text[start:end].strip():
            yield start, end


def sentences_of(text: str, language: str) -> list[str]:
    return [text[start:end].strip() for start, end in _sentences(text, language)]


def _by_pauses(text: str, places: Sequence[tuple[int, int]], placed: Placed, assembly: Assembly) -> list[Span]:
    starts = _starts([text[start:end] for start, end in places], placed, assembly)
    ends = [start for start, _ in starts[1:]] + [assembly.seconds(placed.end)]
    return [
        Span(start, end, *place, source, CONFIDENCE[source])
        for (start, source), end, place in zip(starts, ends, places, strict=True)
    ]


def _by_words(sentences: Sequence[Span], words: Sequence[Span]) -> list[Span]:
    """Let each sentence begin with its first word and end with its last; one without words lies between the others."""
    found: list[Span] = []
    for sentence in sentences:
        own = [word for word in words if sentence.char_start <= word.char_start < sentence.char_end]
        before = found[-1].end if found else 0.0
        start = max(own[0].start, before) if own else max(sentence.start, before)
        end = max(own[-1].end if own else min(sentence.end, _next_start(words, sentence, sentence.end)), start)
        source = own[0].source if own else TimeSource.ESTIMATE
        sureness = min((word.confidence for word in own), default=CONFIDENCE[TimeSource.ESTIMATE])
        found.append(Span(start, end, sentence.char_start, sentence.char_end, source, sureness))
    return found


def _next_start(words: Sequence[Span], sentence: Span, otherwise: float) -> float:
    return next((word.start for word in words if word.char_start >= sentence.char_end), otherwise)


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
