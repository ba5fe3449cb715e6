"""Finds phrases that begin and end with a word, by their first word: most of a text is then passed over at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from worker.text.lexicon.folding import words


@dataclass(slots=True)
class _Phrases:
    """Those with one first word, by their text."""

    lengths: list[int] = field(default_factory=list)
    """In falling order."""
    numbers: dict[str, list[int]] = field(default_factory=dict)


class WordIndex:
    def __init__(self, phrases: Iterable[tuple[int, str]]) -> None:
        """Numbered phrases, folded. Each begins with a word (`first_word`)."""
        self._of: dict[str, _Phrases] = {}
        for number, phrase in phrases:
            found = self._of.setdefault(first_word(phrase), _Phrases())
            found.numbers.setdefault(phrase, []).append(number)
        for found in self._of.values():
            found.lengths = sorted({len(phrase) for phrase in found.numbers}, reverse=True)

    def places(self, text: str) -> Iterator[tuple[int, list[int]]]:
        """Yield each place of a folded text where phrases begin, in order, and their numbers, longest first."""
        known = self._of
        for word in words(text):
            if (phrases := known.get(word[0])) is not None:
                at = word.start()
                found = [
                    number for length in phrases.lengths for number in phrases.numbers.get(text[at : at + length], ())
                ]
                if found:
                    yield at, found


def first_word(phrase: str) -> str:
    """Return the word that a folded phrase begins with; empty if it begins with none."""
    word = next(words(phrase), None)
    return word[0] if word is not None and word.start() == 0 else ""
