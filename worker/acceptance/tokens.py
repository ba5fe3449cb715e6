"""Splits a text into words with their places, by sentence, and marks which of them may stay unspoken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from worker.audio.directions import certain

_MARKS: Final = "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0971-\u0dff"
"""Vowels and other signs that belong to the letter before them."""
_TOKEN: Final = re.compile(
    r"[$€£]?\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th|s|%)?(?![^\W\d_])"
    rf"|[^\W_](?:[^\W_]|[{_MARKS}])*(?:['’·-](?:[^\W_]|[{_MARKS}])+)*|[&%+@=]"
)
_WIDE: Final = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff]")
"""Scripts that put no space between words."""


@dataclass(frozen=True, slots=True)
class Token:
    word: str
    start: int
    """Of its characters in the text."""
    end: int
    sentence: int
    is_certain: bool
    """Whether it is spoken, whatever the voice takes for a direction."""


@dataclass(frozen=True, slots=True)
class Sentence:
    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end].strip()


@dataclass(frozen=True, slots=True)
class Tokens:
    text: str
    tokens: tuple[Token, ...]
    sentences: tuple[Sentence, ...]

    def sentence(self, token: Token) -> str:
        return self.sentences[token.sentence].of(self.text)


@lru_cache(maxsize=8)
def tokens_of(text: str, language: str) -> Tokens:
    sentences = tuple(_sentences(text, language))
    found = [
        (number, match) for number, sentence in enumerate(sentences) for match in _matches(text, sentence, language)
    ]
    sure = _certain(text, [match[2] for _, match in found], language)
    tokens = (
        Token(word, start, end, number, one) for (number, (start, end, word)), one in zip(found, sure, strict=True)
    )
    return Tokens(text, tuple(tokens), sentences)


def _sentences(text: str, language: str) -> Iterator[Sentence]:
    # Its table of languages takes long to import, which most commands need not pay.
    from sentencex import get_sentence_boundaries  # noqa: PLC0415  (the reason is the line above)

    primary = language.partition("-")[0].lower() or "en"
    start = 0
    for boundary in get_sentence_boundaries(primary, text):
        end = max(start, boundary["end_index"])
        for line in re.finditer(r"[^\n]+", text[start:end]):
            yield Sentence(start + line.start(), start + line.end())
        start = end
    if text[start:].strip():
        yield Sentence(start, len(text))


def _matches(text: str, sentence: Sentence, language: str) -> Iterator[tuple[int, int, str]]:
    part = text[sentence.start : sentence.end]
    for match in _TOKEN.finditer(part):
        if _WIDE.search(match[0]):
            yield from _wide(sentence.start + match.start(), match[0], language)
        else:
            yield sentence.start + match.start(), sentence.start + match.end(), match[0]


def _wide(start: int, run: str, language: str) -> Iterator[tuple[int, int, str]]:
    # As above.
    from icu4py.breakers import WordBreaker  # noqa: PLC0415  (as above)

    at = 0
    for piece in WordBreaker(run, language or "en"):
        if any(map(str.isalnum, piece)):
            yield start + at, start + at + len(piece), piece
        at += len(piece)


def _certain(text: str, words: Sequence[str], language: str) -> list[bool]:
    spoken = certain(text)
    if spoken == text.strip():
        return [True] * len(words)
    whole = Sentence(0, len(spoken))
    kept = [word for _, _, word in _matches(spoken, whole, language)]
    sure = [False] * len(words)
    for block in SequenceMatcher(None, words, kept, autojunk=False).get_matching_blocks():
        sure[block.a : block.a + block.size] = [True] * block.size
    return sure
