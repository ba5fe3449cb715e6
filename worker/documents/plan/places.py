"""Where a stretch of a document may be cut: between blocks, between sentences, and inside overlong sentences."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from worker.documents.document import Block
from worker.documents.plan.cuts import (
    BLOCK_PENALTY,
    CHARACTER_PENALTY,
    CLAUSE_PENALTY,
    COMMA_PENALTY,
    SENTENCE_PENALTY,
    WORD_PENALTY,
    Place,
    Ruler,
)
from worker.documents.plan.languages import SPACELESS
from worker.documents.plan.sentences import boundaries
from worker.documents.plan.unbreakable import Unbreakable

_CLAUSES: Final = re.compile(r"[;:—–；：؛](?:[\"'”’»)\]]*\s+|(?=[^\s\d]))|\n+")
_COMMAS: Final = re.compile(r"[,、，،](?:[\"'”’»)\]]*\s+|(?=[^\s\d]))")
_BLANKS: Final = re.compile(r"\s+")

Finder = Callable[[str], Iterable[int]]
"""Finds places in a text, in order, counted from its start."""


def places(blocks: Sequence[Block], ruler: Ruler, unbreakable: Unbreakable, language: str) -> list[Place]:
    """Return the places inside a stretch of blocks, in order. Between two of them lies no more than a part can hold."""
    found: list[Place] = []
    for index, block in enumerate(blocks):
        if index:
            found.append(Place(block.start, BLOCK_PENALTY))
        found += _inside(block, ruler, unbreakable, language)
    return found


def _inside(block: Block, ruler: Ruler, unbreakable: Unbreakable, language: str) -> Iterator[Place]:
    text = ruler.text[block.start : block.end]
    sentences = [block.start + at for at in boundaries(text, language, unbreakable, block.start)]
    for start, end in pairwise([block.start, *sentences, block.end]):
        if start != block.start:
            yield Place(start, SENTENCE_PENALTY)
        if not ruler.fits(start, end):
            yield from _divided(start, end, ruler, unbreakable, _finders(language))


def _divided(
    start: int, end: int, ruler: Ruler, unbreakable: Unbreakable, finders: Sequence[tuple[float, Finder]]
) -> Iterator[Place]:
    """Divide a sentence at its clauses, and what is still too long at its commas, words and at last characters."""
    (penalty, find), finer = finders[0], finders[1:]
    found = [start + at for at in find(ruler.text[start:end]) if unbreakable.allows(start + at) or not finer]
    found = [at for at in found if start < at < end]
    for first, last in pairwise([start, *found, end]):
        if first != start:
            yield Place(first, penalty)
        if finer and not ruler.fits(first, last):
            yield from _divided(first, last, ruler, unbreakable, finer)


def _finders(language: str) -> Sequence[tuple[float, Finder]]:
    return (
        (CLAUSE_PENALTY, lambda text: (match.end() for match in _CLAUSES.finditer(text))),
        (COMMA_PENALTY, lambda text: (match.end() for match in _COMMAS.finditer(text))),
        (WORD_PENALTY, lambda text: _words(text, language)),
        (CHARACTER_PENALTY, _characters),
    )


def _words(text: str, language: str) -> Iterable[int]:
    if language not in SPACELESS:
        return (match.end() for match in _BLANKS.finditer(text))
    from icu4py.breakers import WordBreaker  # noqa: PLC0415 - 15 MB that few texts need

    return _ends(text, WordBreaker(text, language).segments())


def _characters(text: str) -> Iterable[int]:
    from icu4py.breakers import CharacterBreaker  # noqa: PLC0415 - likewise

    return _ends(text, CharacterBreaker(text, "en").segments())


def _ends(text: str, segments: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Yield where segments end, in code points; ICU counts UTF-16 code units."""
    surplus, at = 0, 0
    for _, end in segments:
        while at + surplus < end:
            surplus += text[at] > "\uffff"
            at += 1
        yield at


def between(places: Sequence[Place], start: int, end: int) -> Sequence[Place]:
    """Return those places that lie inside `text[start:end]`."""
    first = bisect_left(places, start + 1, key=lambda place: place.at)
    last = bisect_left(places, end, key=lambda place: place.at)
    return places[first:last]
