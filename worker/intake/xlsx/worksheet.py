"""The rows of one worksheet. Limitation: formulas are read by their last saved value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from api_models.problems import Fault
from worker.intake.header import MAX_COLUMNS
from worker.intake.xlsx.elements import walk
from worker.intake.xlsx.package import WorkbookError, unreadable
from worker.intake.xlsx.strings import unescaped
from worker.intake.xlsx.styles import as_date, as_percent

MAX_ROWS: Final = 1_048_576
"""Excel's limit."""
MAX_CELL_CHARACTERS: Final = 131_072
"""As in the csv module; Excel's limit is 32,767."""
MAX_EMPTY_ELEMENTS: Final = 4_000_000
"""Consecutive elements without a value: formatting far beyond the last row, or an attack."""
MAX_MERGES: Final = 100_000


class SheetRow(NamedTuple):
    """A row with at least one value."""

    number: int
    """As shown in the spreadsheet."""
    cells: list[str]
    unsaved: tuple[int, ...]
    """Columns of formulas without a saved value."""


class Merge(NamedTuple):
    """Vertically merged cells of one column: all show the first one's value."""

    first: int
    last: int
    column: int


@dataclass(frozen=True, slots=True)
class Lookup:
    strings: list[str]
    dates: frozenset[int]
    from_1904: bool
    percents: frozenset[int] = frozenset()


def rows(stream: IO[bytes], lookup: Lookup, merges: list[Merge] | None = None) -> Iterator[SheetRow]:
    """Yield the rows with values, in order. `merges` is filled with the merges found after them. Raises WorkbookError:
    the sheet is damaged or exceeds Excel's limits.
    """
    reader = _Reader(lookup, [] if merges is None else merges)
    for _ in walk(stream, reader):
        yield from reader.done
        reader.done.clear()


class _Reader:
    def __init__(self, lookup: Lookup, merges: list[Merge]) -> None:
        self.done: list[SheetRow] = []
        self._lookup = lookup
        self._merges = merges
        self._row = 0
        self._column = -1
        self._cells: dict[int, str] = {}
        self._unsaved: list[int] = []
        self._kind = ""
        self._style = ""
        self._text: list[str] = []
        self._length = 0
        self._takes = False
        self._formula = False
        self._phonetic = 0
        self._empty = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._empty += 1
        if self._empty > MAX_EMPTY_ELEMENTS:
            raise WorkbookError(Fault(message="holds millions of empty cells; copy its rows into a new workbook"))
        if name == "c":
            self._begin_cell(attributes)
        elif name in {"v", "t"}:
            self._takes = not self._phonetic
        elif name == "row":
            self._begin_row(attributes.get("r"))
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic += 1
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def end(self, name: str) -> None:
        self._takes = False
        if name == "c":
            self._end_cell()
        elif name == "row":
            self._end_row()
        elif name == "rPh":
            self._phonetic -= 1

    def characters(self, text: str) -> None:
        if self._takes:
            self._text.append(text)
            self._length += len(text)
            if self._length > MAX_CELL_CHARACTERS:
                what = f"a cell is longer than {MAX_CELL_CHARACTERS:,} characters, more than any text may have"
                raise WorkbookError(Fault(line=self._row, message=what))

    def _begin_row(self, number: str | None) -> None:
        row = _row_number(number) if number else self._row + 1
        if row > MAX_ROWS:
            raise WorkbookError(
                Fault(message=f"names a row {row}, and a worksheet has no more than {MAX_ROWS:,}; save it again")
            )
        if row <= self._row:
            raise unreadable(f"row {row} comes after row {self._row}")
        self._row, self._column = row, -1
        self._cells.clear()
        self._unsaved.clear()

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        place = attributes.get("r")
        self._column = column_of(place) if place else self._column + 1
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "0")
        self._text.clear()
        self._length, self._formula = 0, False

    def _end_cell(self) -> None:
        if self._column >= MAX_COLUMNS:
            return
        value = "".join(self._text)
        if value:
            self._empty = 0
            self._cells[self._column] = self._shown(value)
        elif self._formula and self._kind != "str":
            self._unsaved.append(self._column)

    def _end_row(self) -> None:
        width = max((column for column, cell in self._cells.items() if cell.strip()), default=-1) + 1
        unsaved = tuple(self._unsaved)
        if not width and not unsaved:
            return
        width = max(width, *(place + 1 for place in unsaved)) if unsaved else width
        cells = [self._cells.get(column, "") for column in range(width)]
        self.done.append(SheetRow(self._row, cells, unsaved))

    def _shown(self, value: str) -> str:
        match self._kind:
            case "s":
                return self._shared(value)
            case "inlineStr" | "str":
                return unescaped(value)
            case "b":
                return "true" if value.strip() == "1" else "false"
            case "n":
                return self._number(value)
            case _:  # errors, and dates in ISO 8601
                return value

    def _shared(self, number: str) -> str:
        try:
            return self._lookup.strings[int(number)]
        except (ValueError, IndexError):
            raise unreadable("a cell refers to a text that there isn't") from None

    def _number(self, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        style = int(self._style) if self._style.isdigit() else 0
        if style in self._lookup.dates:
            return as_date(number, from_1904=self._lookup.from_1904) or value
        if style in self._lookup.percents:
            return as_percent(number)
        if number.is_integer() and abs(number) < 1e15:
            return str(int(number))
        return value if value.isdigit() else f"{number:.15g}"

    def _merge(self, reference: str) -> None:
        start, _, end = reference.partition(":")
        if not end or len(self._merges) >= MAX_MERGES:
            return
        first, last = (_row_number(place.lstrip("$").lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ$")) for place in (start, end))
        if last > first:
            self._merges.append(Merge(first, min(last, MAX_ROWS), column_of(start)))


def column_of(place: str) -> int:
    """Return the zero-based column of a cell reference: 27 for `AB12`."""
    column = 0
    for character in place:
        if not "A" <= character <= "Z":
            break
        column = column * 26 + ord(character) - 64
        if column > MAX_ROWS:
            raise unreadable("a cell is far outside")
    if not column:
        raise unreadable("a cell without a place")
    return column - 1


def _row_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text)):
        raise unreadable("a row without a number")
    return int(text)
