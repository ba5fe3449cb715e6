"""Estimates how long a text takes to speak, from the weights of its characters."""

from __future__ import annotations

import unicodedata
from itertools import accumulate
from typing import Final

UNITS_PER_SECOND: Final = 15.0
"""English is spoken at 14 to 17 characters a second, spaces included; other scripts are weighed against it."""

_HALVES: Final = 2
"""Weights are whole numbers of half characters, so that sums are exact in any order."""
_LETTER: Final = 2
_BLANK: Final = 2
_DIGIT: Final = 6
""""1984" is about as long as "nineteen eighty-four"."""
_SENTENCE_PAUSE: Final = 12
_CLAUSE_PAUSE: Final = 4
_WIDE: Final = 6
"""A Chinese character or Korean syllable: about five a second."""

_SCRIPTS: Final = (
    ("\u0590", "\u05ff", 3),  # Hebrew writes few vowels
    ("\u0600", "\u06ff", 3),  # Arabic writes few vowels
    ("\u0900", "\u0dff", 3),  # scripts of India: a consonant carries its vowel
    ("\u1000", "\u109f", 3),  # Burmese
    ("\u1780", "\u17ff", 3),  # Khmer
    ("\u3040", "\u30ff", 4),  # kana: seven to eight a second
)


class _Weights(dict[str, int]):
    def __missing__(self, character: str) -> int:
        weight = self[character] = _weight(character)
        return weight


def _weight(character: str) -> int:
    if character.isdigit():
        return _DIGIT
    if character.isalpha():
        return next((weight for first, last, weight in _SCRIPTS if first <= character <= last), _of_width(character))
    if character.isspace():
        return _BLANK
    if character in ".!?…。！？؟।":
        return _SENTENCE_PAUSE
    return _CLAUSE_PAUSE if character in ",;:—–、，；：،؛" else 0


def _of_width(character: str) -> int:
    return _WIDE if unicodedata.east_asian_width(character) in "WF" else _LETTER


_WEIGHTS: Final = _Weights()


class Durations:
    """The estimated seconds of any stretch of one text. A run of blanks or of one sign is one pause."""

    def __init__(self, text: str, units_per_second: float = UNITS_PER_SECOND) -> None:
        """`units_per_second` is the rate of a voice in Latin characters, where it is known."""
        self._rate = units_per_second * _HALVES
        self._sums = [0]
        add, weights, total, before = self._sums.append, _WEIGHTS, 0, ""
        for character in text:
            if character != before or character.isalnum():
                total += weights[character]
            before = character
            add(total)

    def __call__(self, start: int, end: int) -> float:
        """Return the seconds of `text[start:end]`."""
        return (self._sums[end] - self._sums[start]) / self._rate


def seconds(text: str, units_per_second: float = UNITS_PER_SECOND) -> float:
    """Return the estimated seconds of a whole text."""
    return Durations(text, units_per_second)(0, len(text))


class Sizes:
    """The UTF-8 bytes of any stretch of one text."""

    def __init__(self, text: str) -> None:
        self._sums = None if text.isascii() else [0, *accumulate(map(_utf8_length, map(ord, text)))]

    def __call__(self, start: int, end: int) -> int:
        return end - start if self._sums is None else self._sums[end] - self._sums[start]


def _utf8_length(code: int) -> int:
    return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
