"""Names of jobs within a file, and so of their audio: the `custom_id`, or the line number. Names are unique."""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Final

from api_models.hints import quoted
from api_models.problems import Fault
from worker.intake.name_index import NameIndex
from worker.intake.positions import LINES, Positions

MIN_DIGITS: Final = 4
"""Minimum digits of a name made from a line number; more for longer files, so that names sort like lines."""

MAX_SPELLINGS: Final = 100_000
"""Capitalised names kept, to quote the original when another name differs only in case."""

MAX_EXPECTED: Final = 1_000_000
"""Maximum initial capacity of the index: a file of nothing but line breaks has no names."""

_FIELD: Final = "custom_id"


class Names:
    """The names used so far. Names that differ only in case are the same file on macOS and Windows."""

    def __init__(self, lines: int, positions: Positions = LINES) -> None:
        """`lines` is the file's line count; `positions` describes where a job is."""
        self._describe = positions.describe
        self._digits = max(MIN_DIGITS, len(str(lines)))
        self._lines = NameIndex(min(lines, MAX_EXPECTED))
        self._spellings: dict[str, str] = {}
        self._numbered = array("Q")  # ascending, as lines are: four times smaller than a set, and searched rarely

    def give(self, line: int) -> str | Fault:
        name = f"{line:0{self._digits}}"
        if taken := self._lines.line_of(name):
            message = (
                f"would be named {quoted(name)} by its line, but {self._describe(taken)} has that name; rename one"
            )
            return Fault(line=line, field=_FIELD, message=message)
        self._numbered.append(line)
        return name

    def claim(self, name: str, line: int) -> Fault | None:
        folded = _folded(name)
        if self._was_given(name):
            message = f"{quoted(name)} is what {self._describe(int(name))} is named after its number; choose another"
            return Fault(line=line, field=_FIELD, message=message)
        if taken := self._lines.put(folded, line):
            return Fault(line=line, field=_FIELD, message=self._twice(name, folded, taken))
        if folded != name and len(self._spellings) < MAX_SPELLINGS:
            self._spellings[folded] = name
        return None

    def give_all(self, lines: Sequence[int]) -> list[str] | None:
        """Name jobs after their lines, or return None if any explicit name was used before."""
        if self._lines:
            return None
        self._numbered.extend(lines)
        return [f"{line:0{self._digits}}" for line in lines]

    def claim_all(self, names: Sequence[str], lines: Sequence[int]) -> bool:
        """Claim ASCII names without line breaks, all or none; return whether all were claimed."""
        if self._numbered:
            return False
        written = "\n".join(names)
        lower = written.lower()
        folded = names if lower == written else lower.split("\n")
        if not self._lines.put_all(folded, lines):
            return False
        if folded is not names and len(self._spellings) < MAX_SPELLINGS:
            pairs = zip(folded, names, strict=True)
            new = {low: name for low, name in pairs if low != name}
            self._spellings.update(islice(new.items(), MAX_SPELLINGS - len(self._spellings)))
        return True

    def _was_given(self, name: str) -> bool:
        if len(name) != self._digits or not (name.isascii() and name.isdigit()):
            return False
        index = bisect_left(self._numbered, int(name))
        return index < len(self._numbered) and self._numbered[index] == int(name)

    def _twice(self, name: str, folded: str, taken: int) -> str:
        if len(self._spellings) == MAX_SPELLINGS and folded not in self._spellings:
            return f"{quoted(name)} is already the name of {self._describe(taken)}, or differs from it in case only"
        earlier = self._spellings.get(folded, folded)
        if earlier == name:
            return f"{quoted(name)} is already the name of {self._describe(taken)}; every job needs its own"
        first = f"{quoted(earlier)} of {self._describe(taken)}"
        return f"{quoted(name)} would overwrite {first} where file names ignore case; rename one"


def _folded(name: str) -> str:
    return (
        name.lower() if name.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    )
