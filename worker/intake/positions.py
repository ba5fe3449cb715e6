"""Where a job is within its input: a line, a row of one of several sheets, or an item of a list."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from api_models.hints import quoted
from api_models.problems import Fault


class Positions:
    def place(self, line: int) -> str | None:
        """Return the position, or None if the line number suffices."""
        del line
        return None

    def describe(self, line: int) -> str:
        return self.place(line) or f"line {line}"

    def placed(self, fault: Fault) -> Fault:
        if fault.line is None or fault.place or (place := self.place(fault.line)) is None:
            return fault
        return fault.model_copy(update={"place": place})


class Items(Positions):
    def place(self, line: int) -> str:
        return f"item {line}"


@dataclass(frozen=True, slots=True)
class Sheets(Positions):
    """Rows of several sheets, numbered continuously."""

    names: Sequence[str]
    ends: Sequence[int]
    """The number of each sheet's last row."""

    def place(self, line: int) -> str:
        index = min(bisect_right(self.ends, line - 1), len(self.names) - 1)
        before = self.ends[index - 1] if index else 0
        return f"sheet {quoted(self.names[index])}, line {line - before}"


LINES = Positions()
"""Nothing has to be said but the line."""
