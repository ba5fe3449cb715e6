"""How much of a text is spoken, as a range: what is said for certain, and all that could be. Knows letters, not sound.

What steers a voice need not be heard (`directions`). Models differ in it, so such words count only as what could be
said. Figures and signs are read as words longer than they are written; that too counts only there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from worker.audio.directions import certain, pieces

WIDE_WEIGHT: Final = 3
"""A Chinese character or Korean syllable takes as long to say as three letters."""
KANA_WEIGHT: Final = 2
"""At the least: Japanese has seven to eight kana a second, which makes one two letters."""
FIGURE_WEIGHT: Final = 6
"""A digit or a sign as a word: "seven", "percent"."""
CAPITAL_WEIGHT: Final = 3
"""The name of a letter that is spelt out, and the pause after it."""
PAUSE_WEIGHT: Final = 6
"""The pause after a sentence or line."""
CHARACTERS: Final = 4096
"""Whose weights are remembered."""

_GAP: Final = re.compile(r"[^\W_](?=[^\w\n])")
_PAUSE: Final = re.compile(r"[.!?…。！？;\n][\s.!?…。！？]*")
_QUIET: Final = frozenset({"Mn", "Mc", "Me", "Cf", "Cc", "Pi", "Pf", "Ps", "Pe", "Pd"})
"""Marks that belong to a letter, quotation marks, brackets and dashes."""
_PUNCTUATION: Final = frozenset(".,;:!?'\"…、。，；：！？・¡¿।")


class Weight(NamedTuple):
    """Characters as speech counts them: a letter is one, and so is what stands between two words."""

    least: int
    """Of what is spoken for certain."""
    written: int
    """Of all words as they are written, markup too; kana count as any wide character."""
    most: int
    """Of everything that may be spoken, at its longest."""


def weigh(text: str) -> Weight:
    most = sum(map(_longest, text)) + PAUSE_WEIGHT * len(_PAUSE.findall(text))
    return Weight(_plain(certain(text), _shortest), _plain(text, _usual), most)


def least_piece(text: str) -> int:
    """The weight of the shortest part of a text that could be all of it, the rest being directions."""
    weights = [_plain(piece, _shortest) for piece in pieces(text)]
    return min(weights, default=0)


def _plain(words: str, length: Callable[[str], int]) -> int:
    """Letters, digits and the gaps behind words; dots, dashes and pictures are silent."""
    return sum(length(character) for character in words if character.isalnum()) + len(_GAP.findall(words))


@lru_cache(maxsize=CHARACTERS)
def _usual(character: str) -> int:
    return WIDE_WEIGHT if unicodedata.east_asian_width(character) in "WF" else 1


@lru_cache(maxsize=CHARACTERS)
def _shortest(character: str) -> int:
    if unicodedata.east_asian_width(character) != "W":
        return 1
    return KANA_WEIGHT if "\u3040" <= character <= "\u30ff" else WIDE_WEIGHT


@lru_cache(maxsize=CHARACTERS)
def _longest(character: str) -> int:
    if character.isalpha():
        wide = unicodedata.east_asian_width(character) in "WFH"
        return CAPITAL_WEIGHT if wide or character.isupper() else 1
    if character.isspace() or unicodedata.category(character) in _QUIET:
        return 1
    return 1 if character in _PUNCTUATION else FIGURE_WEIGHT
