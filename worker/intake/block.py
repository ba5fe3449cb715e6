"""Rows of a sheet as they stand in it: cells under a header. Judges nothing but how many cells there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api_models.problems import Fault
from worker.intake.header import TEXT, Header
from worker.intake.record import Record


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows in their order, none of them blank."""

    header: Header
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    """On which each begins."""

    def columns(self) -> dict[str, Sequence[str]] | None:
        """The cells of each known field, as they are in the file; None where a row has more or fewer than it should."""
        fields = self.header.known()
        if set(map(len, self.rows)) != {len(fields)}:
            return None
        return {field: cells for field, cells in zip(fields, zip(*self.rows, strict=True), strict=True) if field}

    def records(self) -> Iterator[Record | Fault]:
        """A row at a time."""
        fields = self.header.known()
        for line, cells in zip(self.lines, self.rows, strict=True):
            yield as_record(line, line, cells, self.header, fields)

    def halves(self) -> Iterator[Block]:
        """The first half of the rows, and the second."""
        middle = len(self.rows) // 2
        yield Block(self.header, self.rows[:middle], self.lines[:middle])
        yield Block(self.header, self.rows[middle:], self.lines[middle:])


def as_record(
    first: int, last: int, cells: Sequence[str], header: Header, fields: Sequence[str | None]
) -> Record | Fault:
    """One row by the names of its fields."""
    if len(cells) != len(fields):
        cells = list(cells)
        while len(cells) > len(fields) and not cells[-1].strip():  # as many spreadsheets end their rows
            cells.pop()
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
    )


def _uneven(cells: int, columns: int, delimiter: str) -> str:
    name = {"\t": "tab", ",": "comma", ";": "semicolon"}[delimiter]
    if cells > columns:
        return f"has {cells} cells, but the header names {columns}; put a cell with a {name} in it between quote marks"
    return f"has {_count(cells)}, but the header names {columns}; an empty cell still needs its {name}"


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"
