"""Long texts for tests: sentences that no other text has, in paragraphs."""

from __future__ import annotations

from typing import Final

_PHRASE: Final = "the harbour light was slow and grey over the water while a ferry turned towards its old stone pier"


def sentence(number: int) -> str:
    """A sentence of about 70 characters that only this number has."""
    words = _PHRASE.split()
    turn = number % len(words)
    said = " ".join(words[turn:] + words[:turn])[:60].strip()
    return f"Sentence {number} says that {said}."


def paragraphs(count: int, *, sentences: int = 6, first: int = 1) -> str:
    """Paragraphs of about 500 characters."""
    found = [
        " ".join(sentence(first + number * sentences + place) for place in range(sentences)) for number in range(count)
    ]
    return "\n\n".join(found)
