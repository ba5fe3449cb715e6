"""Sentence boundaries, by sentencex, corrected by `languages` for what it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from sentencex import segment

from worker.documents.plan.languages import ABBREVIATIONS, REPORTING, SPACELESS
from worker.documents.plan.unbreakable import Unbreakable

_CLOSING: Final = "\"'”’»)]}」』】）"
_GOES_ON: Final = re.compile(r"[a-zß-öø-ÿа-яёα-ω,;:)\]}»”’、，；：）」』】]")
"""A sentence begins with none of these."""


_SLICE: Final = 4_000
"""Characters that are split at once; a longer sentence is found in a longer slice."""
_NEAR: Final = 400
"""Characters before a boundary that can matter."""


def boundaries(text: str, language: str, unbreakable: Unbreakable, offset: int) -> Iterator[int]:
    """Yield the places inside `text` where a sentence ends and another begins, in order.

    Args:
        text: A block.
        language: Its primary language.
        unbreakable: That of the whole document.
        offset: Where `text` begins in the document.
    """
    place = 0
    for sentence in _segments(language, text):
        place += len(sentence)
        if place < len(text) and unbreakable.allows(offset + place) and _ends(text, place, language):
            yield place


def _segments(language: str, text: str) -> Iterator[str]:
    """Split a text slice by slice: sentencex takes a time that grows with the square of the number of sentences."""
    start, size = 0, _SLICE
    while start < len(text):
        found = segment(language, text[start : start + size])
        if start + size >= len(text):
            yield from found
            return
        if len(found) == 1:
            size *= 2
            continue
        yield from found[:-1]
        start += sum(map(len, found[:-1]))
        size = _SLICE


def _ends(text: str, place: int, language: str) -> bool:
    """Overrule the splitter before lower case, before who says a quotation, and after an abbreviation."""
    before = text[max(0, place - _NEAR) : place].rstrip()
    if not any(map(str.isalnum, before)) or _GOES_ON.match(text, place):
        return False
    quoted = before[-1:] in _CLOSING or (before[-1:] in "?!…" and language not in SPACELESS)
    if quoted and (reporting := REPORTING.get(language)) and reporting.match(text, place):
        return False
    abbreviation = _abbreviations(language)
    return not (abbreviation and abbreviation.search(before) and "\n" not in text[place - 1 : place])


@lru_cache
def _abbreviations(language: str) -> re.Pattern[str] | None:
    known = ABBREVIATIONS.get(language)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})\Z") if known else None
