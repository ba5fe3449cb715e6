"""When the parts, sentences and words of a recording are heard, as data that is stored beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from api_models.timings import Timings
from worker.documents.captions.cues import (
    CONFIDENCE,
    NOTHING_HEARD,
    Cue,
    Heard,
    Span,
    TimeSource,
    part_words,
    sentence_spans,
)
from worker.documents.join.assembly import Assembly, Placed
from worker.documents.join.clips import measure
from worker.documents.plan.duration import Durations
from worker.documents.plan.languages import SPACELESS

VERSION: Final = 1
_BETWEEN_PARTS: Final = "\n\n"
_WORD: Final = re.compile(r"\S+")
_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans count characters of `text`, and seconds from the beginning of the recording."""

    text: str
    language: str
    seconds: float
    parts: tuple[Span, ...]
    sentences: tuple[Span, ...] = ()
    words: tuple[Span, ...] = ()

    @property
    def finest(self) -> tuple[Span, ...]:
        return self.words or self.sentences or self.parts

    @property
    def is_heard(self) -> bool:
        """Whether its words were recognised in the sound, and not estimated."""
        return any(word.source != TimeSource.ESTIMATE for word in self.words)

    def cues(self) -> list[Cue]:
        """Return the sentences, or the parts if there are none, for captions."""
        return [
            Cue(span.start, span.end, self._text(span), span.source, 0, span.confidence)
            for span in self.sentences or self.parts
        ]

    def _text(self, span: Span) -> str:
        return self.text[span.char_start : span.char_end].strip()

    def encode(self) -> str:
        """Return JSON with arrays of characters and their times, and lists of words, sentences and parts."""
        times = [(round(start, _DIGITS), round(end, _DIGITS)) for start, end in character_times(self)]
        found = {
            "version": VERSION,
            "text": self.text,
            "language": self.language,
            "seconds": round(self.seconds, _DIGITS),
            "alignment": {
                "characters": list(self.text),
                "character_start_times_seconds": [start for start, _ in times],
                "character_end_times_seconds": [end for _, end in times],
            },
            **{name: [self._data(span) for span in getattr(self, name)] for name in ("parts", "sentences", "words")},
        }
        return json.dumps(found, ensure_ascii=False) + "\n"

    @classmethod
    def decode(cls, stored: str | bytes) -> Timeline:
        """The inverse of `encode`. Raises ValueError: it is no such JSON."""
        try:
            found = json.loads(stored)
            spans = {name: tuple(map(_span, found[name])) for name in ("parts", "sentences", "words")}
            return cls(str(found["text"]), str(found["language"]), float(found["seconds"]), **spans)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("not the times of a recording") from error

    def _data(self, span: Span) -> dict[str, Any]:
        times = {"start": round(span.start, _DIGITS), "end": round(span.end, _DIGITS)}
        return {"text": self._text(span)} | asdict(span) | times


def _span(found: dict[str, Any]) -> Span:
    return Span(
        float(found["start"]),
        float(found["end"]),
        int(found["char_start"]),
        int(found["char_end"]),
        str(found["source"]),
        float(found["confidence"]),
    )


def character_times(of: Timeline) -> Iterator[tuple[float, float]]:
    """Yield when each character begins and ends, in order. Those inside a span share its time by their weights."""
    at, now = 0, 0.0
    for span in of.finest:
        start = max(span.start, now)
        yield from ((now, start) for _ in range(at, span.char_start))
        yield from _shared(of.text[max(at, span.char_start) : span.char_end], start, max(span.end, start))
        at, now = max(at, span.char_end), max(span.end, start)
    yield from ((now, now) for _ in range(at, len(of.text)))


def _shared(text: str, start: float, end: float) -> Iterator[tuple[float, float]]:
    durations = Durations(text)
    scale = (end - start) / (durations(0, len(text)) or 1.0)
    for index in range(len(text)):
        yield start + scale * durations(0, index), start + scale * durations(0, index + 1)


def timeline(
    texts: Sequence[str], language: str, assembly: Assembly, level: Timings, heard: Heard = NOTHING_HEARD
) -> Timeline:
    """Return the times of a recording whose parts have these texts, as fine as `level`."""
    parts: list[Span] = []
    sentences: list[Span] = []
    words: list[Span] = []
    offset = 0
    for index, text in enumerate(texts):
        own = sentence_spans(text, language, assembly, index, heard)
        sentences += [span.moved(0.0, offset) for span in own]
        found = part_words(assembly, index, heard) or list(_estimated_words(text, language, own))
        words += [span.moved(0.0, offset) for span in found]
        placed = assembly.placed[index]
        start, end = assembly.seconds(placed.start), assembly.seconds(placed.end)
        exact = CONFIDENCE[TimeSource.SEAM]
        parts.append(Span(start, end, offset, offset + len(text), TimeSource.SEAM, exact))
        offset += len(text) + len(_BETWEEN_PARTS)
    return Timeline(
        _BETWEEN_PARTS.join(texts),
        language,
        assembly.seconds(assembly.frames),
        tuple(parts),
        tuple(sentences) if level in {Timings.SENTENCE, Timings.WORD} else (),
        tuple(words) if level is Timings.WORD else (),
    )


def _estimated_words(text: str, language: str, sentences: Sequence[Span]) -> Iterator[Span]:
    """Divide each sentence's time among its words: the last resort, where nothing listened to the take."""
    for sentence in sentences:
        inside = text[sentence.char_start : sentence.char_end]
        durations = Durations(inside)
        scale = (sentence.end - sentence.start) / (durations(0, len(inside)) or 1.0)
        for start, end in _words(inside, language):
            first, last = (sentence.start + scale * durations(0, place) for place in (start, end))
            place = sentence.char_start + start, sentence.char_start + end
            yield Span(first, last, *place, TimeSource.ESTIMATE, CONFIDENCE[TimeSource.ESTIMATE])


def _words(text: str, language: str) -> Iterator[tuple[int, int]]:
    if language not in SPACELESS:
        yield from (found.span() for found in _WORD.finditer(text))
        return
    for index, character in enumerate(text):
        if character.isalnum():
            yield index, index + 1


def of_take(path: Path) -> Assembly:
    """Return one take as a recording of one part, which is heard from the first to the last sound of the file. Raises
    BadAudioError: it can't be decoded; DocumentError: it is silent, or too long.
    """
    clip = measure(path)
    placed = Placed(clip, *clip.speech, clip.speech, 1.0, clip.frames - clip.speech[1])
    return Assembly(clip.rate, clip.channels, (placed,))
