"""Stretches of a text in which it must not be cut: tags, addresses and numbers."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

MAX_TAG: Final = 600
"""Characters of a bracketed direction. A longer bracket is text."""

_UNBREAKABLE: Final = re.compile(
    rf"\[[^\[\]]{{1,{MAX_TAG}}}\]"
    rf"|<[/!?A-Za-z][^<>]{{0,{MAX_TAG}}}>"
    r"|(?:https?://|www\.)\S+"
    # From their beginnings alone, and without going back: a long run of letters or digits is read once.
    r"|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+"
    r"|(?<!\d)\d++(?:[.,:/’'\u00a0\u202f-]\d++)+"
)


class Unbreakable:
    """The stretches of one text, for look-ups by place."""

    def __init__(self, text: str, others: Iterable[tuple[int, int]] = ()) -> None:
        """`others` are further stretches, such as the words that a lexicon put in."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted([*(match.span() for match in _UNBREAKABLE.finditer(text)), *others]):
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def allows(self, place: int) -> bool:
        """Return whether a text may be cut before its character at `place`."""
        index = bisect_right(self._starts, place) - 1
        return index < 0 or place <= self._starts[index] or place >= self._ends[index]
