"""Changes of a text, in order, and the places that they move."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """`original` stood where the changed text now has `text[start:end]`."""

    start: int
    end: int
    original: str


@dataclass(frozen=True, slots=True)
class Change:
    """Replaces `text[start:end]` of the original."""

    start: int
    end: int
    by: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed text and its edits, which don't overlap and are in order."""

    text: str
    edits: tuple[Edit, ...] = ()
    last: tuple[Edit, ...] = ()
    """Those of the last change alone, by which places move."""

    def original(self) -> str:
        """Return the text before the changes."""
        return undone(self.text, self.edits)


def undone(text: str, edits: Iterable[Edit]) -> str:
    """Return the text that the edits changed."""
    pieces: list[str] = []
    end = 0
    for edit in edits:
        pieces += (text[end : edit.start], edit.original)
        end = edit.end
    return "".join((*pieces, text[end:]))


def apply(text: str, changes: Sequence[Change]) -> Changed:
    """Apply changes that don't overlap and are in order."""
    pieces: list[str] = []
    edits: list[Edit] = []
    end, length = 0, 0
    for change in changes:
        between = text[end : change.start]
        start = length + len(between)
        pieces += (between, change.by)
        length, end = start + len(change.by), change.end
        edits.append(Edit(start, length, text[change.start : change.end]))
    return Changed("".join((*pieces, text[end:])), tuple(edits), tuple(edits))


class Moves:
    """Maps places of an original text to those of the changed one."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._before: list[int] = []
        """Where each edit ends in the original."""
        self._starts: list[int] = []
        self._edits = edits
        shift = 0
        for edit in edits:
            self._starts.append(edit.start + shift)
            shift += len(edit.original) - (edit.end - edit.start)
            self._before.append(edit.end + shift)

    def __call__(self, place: int) -> int:
        """Return the new place. Inside an edit it is the edit's beginning."""
        index = bisect_right(self._starts, place) - 1
        if index < 0:
            return place
        edit = self._edits[index]
        if place >= self._before[index]:
            return place - self._before[index] + edit.end
        return edit.start
