"""Stretches of a text in which it must not be cut: tags, addresses and numbers."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

MAX_TAG: Final = 600
"""Characters of a bracketed direction. A longer bracket is text."""

_UNBREAKABLE: Final = re.compile(
    rf"\[[^\[\]]{{1,{MAX_TAG}}}\]"
    rf"|<[/!?A-Za-z][^<>]{{0,{MAX_TAG}}}>"
    r"|(?:https?://|www\.)\S+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\d+(?:[.,:/’'\u00a0\u202f-]\d+)+"
)


class Unbreakable:
    """The stretches of one text, for look-ups by place."""

    def __init__(self, text: str) -> None:
        spans = [match.span() for match in _UNBREAKABLE.finditer(text)]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def allows(self, place: int) -> bool:
        """Return whether a text may be cut before its character at `place`."""
        index = bisect_right(self._starts, place) - 1
        return index < 0 or place <= self._starts[index] or place >= self._ends[index]
