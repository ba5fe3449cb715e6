"""Breaks cues into captions that can be read in time. The rules are data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from icu4py.breakers import LineBreaker

from worker.documents.captions.cues import Cue
from worker.documents.plan.duration import Durations
from worker.documents.plan.languages import SPACELESS

MIN_SECONDS: Final = 1.0
MIN_GAP_SECONDS: Final = 0.08
"""Two frames of film."""


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """What a viewer can read. The defaults are those of broadcasters for Latin scripts."""

    line_characters: int = 42
    lines: int = 2
    characters_per_second: float = 20.0


WIDE_RULES: Final = ReadingRules(line_characters=21, characters_per_second=10.0)
"""Chinese, Japanese and others whose characters are twice as wide."""


@dataclass(frozen=True, slots=True)
class Caption:
    start: float
    end: float
    lines: tuple[str, ...]
    cue: Cue


def rules_for(language: str) -> ReadingRules:
    return WIDE_RULES if language in SPACELESS - {"th", "lo", "km", "my"} else ReadingRules()


def captions(cues: list[Cue], language: str) -> list[Caption]:
    """Return captions in order, without overlaps. A sentence that is too long becomes several."""
    rules = rules_for(language)
    found = [caption for cue in cues for caption in _divided(cue, rules, language)]
    return [
        Caption(
            caption.start, _end(caption, found[index + 1].start if index + 1 < len(found) else None), *_rest(caption)
        )
        for index, caption in enumerate(found)
    ]


def _rest(caption: Caption) -> tuple[tuple[str, ...], Cue]:
    return caption.lines, caption.cue


def _end(caption: Caption, following: float | None) -> float:
    """Show a caption long enough to be read, if the next one leaves the time."""
    wanted = max(caption.end, caption.start + MIN_SECONDS)
    return wanted if following is None else max(min(wanted, following - MIN_GAP_SECONDS), caption.start)


def _divided(cue: Cue, rules: ReadingRules, language: str) -> Iterator[Caption]:
    lines = list(wrapped(" ".join(cue.text.split()), rules.line_characters, language))
    groups = [tuple(lines[start : start + rules.lines]) for start in range(0, len(lines), rules.lines)]
    whole = "".join("".join(group) for group in groups)
    durations, at = Durations(whole), 0
    scale = (cue.end - cue.start) / (durations(0, len(whole)) or 1.0)
    for group in groups:
        length = len("".join(group))
        start, end = (cue.start + scale * durations(0, place) for place in (at, at + length))
        yield Caption(start, end, tuple(line.strip() for line in group), cue)
        at += length


def wrapped(text: str, width: int, language: str) -> Iterator[str]:
    """Break a text into lines where its language allows it, of equal length if there are two or more."""
    pieces = list(_pieces(text, language))
    count = -(-len(text) // width)
    target = max(1, min(width, -(-len(text) // count))) if count else width
    line = ""
    for piece in pieces:
        if line and (len((line + piece).rstrip()) > width or len(line.rstrip()) >= target):
            yield line
            line = ""
        line += piece
    if line:
        yield line


def _pieces(text: str, language: str) -> Iterator[str]:
    units = text.encode("utf-16-le", "surrogatepass")  # ICU counts UTF-16 code units
    for start, end in LineBreaker(text, language or "en").segments():
        yield units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
