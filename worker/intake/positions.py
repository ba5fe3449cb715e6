"""Where the jobs of an input are, where that isn't simply a line: a row of one sheet of several, an item of a list."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from api_models.hints import quoted
from api_models.problems import Fault


class Positions:
    """Lines of one file: each is where it is."""

    def place(self, line: int) -> str | None:
        """What an error says instead of `line 7`; None where that is right."""
        del line
        return None

    def words(self, line: int) -> str:
        """The same, in any case."""
        return self.place(line) or f"line {line}"

    def placed(self, fault: Fault) -> Fault:
        """A fault with the place where its reader finds it."""
        if fault.line is None or fault.place or (place := self.place(fault.line)) is None:
            return fault
        return fault.model_copy(update={"place": place})


class Items(Positions):
    """The items of a list, counted from 1."""

    def place(self, line: int) -> str:
        """`item 7`."""
        return f"item {line}"


@dataclass(frozen=True, slots=True)
class Sheets(Positions):
    """Rows of several sheets, numbered on from one to the next."""

    names: Sequence[str]
    ends: Sequence[int]
    """The number of each sheet's last row."""

    def place(self, line: int) -> str:
        """`sheet "Chapter 2", line 7`."""
        index = min(bisect_right(self.ends, line - 1), len(self.names) - 1)
        before = self.ends[index - 1] if index else 0
        return f"sheet {quoted(self.names[index])}, line {line - before}"


LINES = Positions()
"""Nothing has to be said but the line."""
