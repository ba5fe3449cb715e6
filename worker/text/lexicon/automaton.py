"""Finds many phrases in one pass: the automaton of Aho and Corasick, over the phrases written backwards.

A text is read from its end. At each place the automaton then knows every phrase that begins there, longest first,
however many phrases there are; the time grows with the text alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

ROOT = 0


class Automaton:
    def __init__(self, phrases: Iterable[tuple[int, str]]) -> None:
        """Numbered phrases, none of them empty; equal ones may occur."""
        self._next: list[dict[str, int]] = [{}]
        self._fallback: list[int] = [ROOT]
        self._phrases: list[list[int]] = [[]]
        self._shorter: list[int] = [ROOT]
        """The nearest node at which a shorter phrase that begins at the same place is known."""
        self._first: list[int] = [ROOT]
        """The node itself if it knows a phrase, else the nearest shorter one that does."""
        for number, phrase in phrases:
            self._add(number, phrase)
        self._link()

    def _add(self, number: int, phrase: str) -> None:
        node = ROOT
        for character in reversed(phrase):
            after = self._next[node].get(character)
            if after is None:
                after = self._next[node][character] = len(self._next)
                self._next.append({})
                self._fallback.append(ROOT)
                self._phrases.append([])
                self._shorter.append(ROOT)
                self._first.append(ROOT)
            node = after
        self._phrases[node].append(number)

    def _link(self) -> None:
        """Set the fallbacks, nearest nodes first."""
        waiting = deque([ROOT])
        while waiting:
            node = waiting.popleft()
            for character, after in self._next[node].items():
                fallback = self._after(self._fallback[node], character) if node else ROOT
                self._fallback[after] = fallback
                self._shorter[after] = self._first[fallback]
                self._first[after] = after if self._phrases[after] else self._shorter[after]
                waiting.append(after)

    def _after(self, node: int, character: str) -> int:
        while (after := self._next[node].get(character)) is None and node:
            node = self._fallback[node]
        return after or ROOT

    def places(self, text: str) -> Iterator[tuple[int, list[int]]]:
        """Yield each place where phrases begin, from the last to the first, and their numbers, longest first."""
        following, fallback, first = self._next, self._fallback, self._first
        node = ROOT
        for at in range(len(text) - 1, -1, -1):
            character = text[at]
            while (after := following[node].get(character)) is None and node:
                node = fallback[node]
            node = after or ROOT
            if found := first[node]:
                yield at, list(self._beginning(found))

    def _beginning(self, node: int) -> Iterator[int]:
        while node:
            yield from self._phrases[node]
            node = self._shorter[node]
