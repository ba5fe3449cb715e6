"""Texts as they are compared: without case, with accents apart, and with the way back to the original.

Canonical caseless matching of the Unicode standard (chapter 3.13), character by character, so that every character of
the result knows where it comes from: `ß` becomes `ss`, `İ` becomes `i` and a dot, both from one place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MARKS: Final = re.compile(r"[\u0300-\U0010FFFF]{2,}")
_JAMO: Final = ("\u1160", "\u11ff")
"""Vowels and finals of a Korean syllable, which no syllable begins with."""
SPACELESS: Final = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana and Chinese characters: words have no spaces between them."""
_SPACELESS: Final = re.compile(f"[{SPACELESS}]")


@dataclass(frozen=True, slots=True)
class Folded:
    text: str
    sources: Sequence[int] | None
    """For each character the index of its original; None if all are in place. One more for the end."""
    length: int
    """Characters of the original."""

    def source(self, at: int) -> int:
        return at if self.sources is None else self.sources[at]

    def is_edge(self, at: int) -> bool:
        """Whether a match may begin or end before character `at`: not inside a letter with its accents."""
        if at in (0, len(self.text)):
            return True
        return not continues(self.text[at]) and (self.sources is None or self.sources[at] != self.sources[at - 1])


class _Folds(dict[str, str]):
    def __missing__(self, character: str) -> str:
        decomposed = unicodedata.normalize("NFD", character)
        found = self[character] = unicodedata.normalize("NFD", decomposed.casefold())
        return found


_FOLDS: Final = _Folds()


def fold(text: str) -> Folded:
    """Fold a text, with the place of each character's origin."""
    if text.isascii():
        return Folded(text.lower(), None, len(text))
    pieces = [_FOLDS[character] for character in text]
    joined = "".join(pieces)
    ordered = unicodedata.is_normalized("NFD", joined)
    if ordered and len(joined) == len(text):
        return Folded(joined, None, len(text))
    sources = [index for index, piece in enumerate(pieces) for _ in piece]
    if not ordered:
        joined, sources = _in_order(joined, sources)
    return Folded(joined, [*sources, len(text)], len(text))


def _in_order(text: str, sources: list[int]) -> tuple[str, list[int]]:
    """Put combining characters in canonical order."""
    characters = list(text)
    for start, end in _runs_of_marks(text):
        order = sorted(range(start, end), key=lambda at: unicodedata.combining(text[at]))
        characters[start:end] = [text[at] for at in order]
        sources[start:end] = [sources[at] for at in order]
    return "".join(characters), sources


def _runs_of_marks(text: str) -> Iterator[tuple[int, int]]:
    for found in _MARKS.finditer(text):
        start = None
        for at in range(found.start(), found.end() + 1):
            is_mark = at < found.end() and unicodedata.combining(text[at])
            if is_mark and start is None:
                start = at
            elif not is_mark and start is not None:
                yield start, at
                start = None


def continues(character: str) -> bool:
    """Whether a character belongs to the letter before it."""
    if character < "\u0300":
        return False
    return unicodedata.category(character)[0] == "M" or _JAMO[0] <= character <= _JAMO[1]


def is_word(character: str) -> bool:
    return character.isalnum() or character == "_" or continues(character)


def joins(before: str, after: str) -> bool:
    """Whether two neighbouring characters are inside one word. Scripts without spaces have no words to be inside of."""
    return is_word(before) and is_word(after) and not _SPACELESS.match(before) and not _SPACELESS.match(after)


_ASCII_WORDS: Final = re.compile(r"\w+", re.ASCII)


@lru_cache(maxsize=1)
def _all_words() -> re.Pattern[str]:
    """Runs of characters of which no two are apart by `joins`. Takes 20 ms, so it is made on demand."""
    marks = "".join(chr(code) for code in range(0x300, 0x1E950) if continues(chr(code)))
    return re.compile(rf"(?:[^\W{SPACELESS}]|[{re.escape(marks)}])+")


def words(text: str) -> Iterator[re.Match[str]]:
    """Yield the words of a folded text. Those of scripts without spaces are left out."""
    return (_ASCII_WORDS if text.isascii() else _all_words()).finditer(text)
