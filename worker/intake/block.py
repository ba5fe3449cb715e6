"""Rows of a sheet as cells under a header. Checks only the number of cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from api_models.hints import quoted
from api_models.problems import Fault
from worker.intake.carried import carried
from worker.intake.header import CELLS, TEXT, Header


class Line(NamedTuple):
    """One physical line of a text file, with its number in an editor."""

    number: int
    text: str
    """Decoded, with its line ending: a quoted cell may contain it."""


@dataclass(frozen=True, slots=True)
class Record:
    line: int
    """The first line of the record."""
    last_line: int
    fields: Mapping[str, object]
    extra: str | None = None
    """The row's other columns, as JSON."""


Parsed: TypeAlias = Iterator[Record | Fault]
"""Records and faults, in file order."""


_DELIMITER_NAMES: Final = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows, none without cells."""

    header: Header
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    """The first line of each row."""

    def columns(self) -> dict[str, Sequence[str]] | None:
        fields = self.header.known()
        if set(map(len, self.rows)) != {len(fields)}:
            return None
        return {field: cells for field, cells in zip(fields, zip(*self.rows, strict=True), strict=True) if field}

    def extras(self) -> list[str | None] | None:
        """The other columns of each row as JSON; None if no row has any."""
        places = self.header.carried()
        found = [carried(cells, places) for cells in self.rows] if places else []
        return found if any(found) else None

    def records(self) -> Iterator[Record | Fault]:
        for line, cells in zip(self.lines, self.rows, strict=True):
            if any(map(str.strip, cells)):
                yield as_record(line, line, cells, self.header)

    def halves(self) -> Iterator[Block]:
        middle = len(self.rows) // 2
        yield Block(self.header, self.rows[:middle], self.lines[:middle])
        yield Block(self.header, self.rows[middle:], self.lines[middle:])


def as_record(first: int, last: int, cells: Sequence[str], header: Header) -> Record | Fault:
    fields = header.known()
    if len(cells) != len(fields):
        cells = list(cells)
        while len(cells) > len(fields) and not cells[-1].strip():  # many spreadsheets end rows with empty cells
            cells.pop()
        if header.delimiter == CELLS:  # cells arrive already split; anything beyond the table is a note
            cells = [*cells, *[""] * (len(fields) - len(cells))][: len(fields)]
        if len(cells) != len(fields):
            return Fault(line=first, message=_uneven(len(cells), len(fields), header.delimiter))
    return Record(
        first,
        last,
        {
            # Blanks around a text may be meant; around a name or number they never are.
            field: cell if field == TEXT else cell.strip()
            for field, cell in zip(fields, cells, strict=True)
            if field
        },
        carried(cells, header.carried()),
    )


def _uneven(cells: int, columns: int, delimiter: str) -> str:
    name = _DELIMITER_NAMES.get(delimiter, quoted(delimiter))
    if cells > columns:
        return f"has {cells} cells, but the header names {columns}; put a cell with a {name} in it between quote marks"
    return f"has {_count(cells)}, but the header names {columns}; an empty cell still needs its {name}"


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"
