"""Rows of a sheet as they stand in it: cells under a header. Judges nothing but how many cells there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from api_models.hints import quoted
from api_models.problems import Fault
from worker.intake.carried import carried
from worker.intake.header import CELLS, TEXT, Header


class Line(NamedTuple):
    """One physical line of a text, with the number an editor shows beside it."""

    number: int
    text: str
    """Decoded, its line ending kept: a quoted cell may contain it."""


@dataclass(frozen=True, slots=True)
class Record:
    """The values of one job before any rule was applied to them."""

    line: int
    """The first line it stands on."""
    last_line: int
    fields: Mapping[str, object]
    extra: str | None = None
    """What the row holds beside them, as JSON."""


Parsed: TypeAlias = Iterator[Record | Fault]
"""What every parser returns: records and faults in the order of the file."""


_DELIMITER_NAMES: Final = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows in their order, none of them without a cell."""

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

    def extras(self) -> list[str | None] | None:
        """What each row holds beside its fields; None where no row holds anything."""
        places = self.header.carried()
        found = [carried(cells, places) for cells in self.rows] if places else []
        return found if any(found) else None

    def records(self) -> Iterator[Record | Fault]:
        """A row at a time, without the blank ones."""
        for line, cells in zip(self.lines, self.rows, strict=True):
            if any(map(str.strip, cells)):
                yield as_record(line, line, cells, self.header)

    def halves(self) -> Iterator[Block]:
        """The first half of the rows, and the second."""
        middle = len(self.rows) // 2
        yield Block(self.header, self.rows[:middle], self.lines[:middle])
        yield Block(self.header, self.rows[middle:], self.lines[middle:])


def as_record(first: int, last: int, cells: Sequence[str], header: Header) -> Record | Fault:
    """One row by the names of its fields."""
    fields = header.known()
    if len(cells) != len(fields):
        cells = list(cells)
        while len(cells) > len(fields) and not cells[-1].strip():  # as many spreadsheets end their rows
            cells.pop()
        if header.delimiter == CELLS:  # nothing can have been split wrongly: a note beside the table is no cell of it
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
