"""Spreadsheets of LibreOffice and others (.ods), read by their saved values. Streamed, one table at a time.

OpenDocument 1.3, part 3: https://docs.oasis-open.org/office/OpenDocument/v1.3/os/part3-schema/
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Final

from api_models.problems import Fault
from worker.intake.header import MAX_COLUMNS
from worker.intake.xlsx.contents import MAX_SHEETS, Sheet
from worker.intake.xlsx.elements import walk
from worker.intake.xlsx.package import Package, WorkbookError, unreadable
from worker.intake.xlsx.worksheet import MAX_CELL_CHARACTERS, MAX_MERGES, MAX_ROWS, Merge, SheetRow

CONTENT: Final = "content.xml"
MEDIA_TYPE: Final = b"application/vnd.oasis.opendocument.spreadsheet"
_MANIFEST: Final = "META-INF/manifest.xml"
MAX_REPEATED_ROWS: Final = 1_000
"""A filled row repeated more often than this is formatting, not texts."""
_SHOWN_AS_TEXT: Final = frozenset({"string", "percentage", "currency", ""})
"""Types whose displayed text is what their author sees and means."""
_BLANKS: Final = {"tab": "\t", "line-break": "\n"}


class OpenDocument:
    def __init__(self, package: Package) -> None:
        """Raises WorkbookError for a file that is encrypted or has no tables."""
        self._package = package
        if CONTENT not in package or _is_encrypted(package):
            raise WorkbookError(Fault(message="is no readable .ods: without content, or protected with a password"))
        tables = _Tables()
        with closing(package.open(CONTENT)) as stream:
            for _ in walk(stream, tables):
                pass
        self.sheets = tuple(
            Sheet(name, str(index), style in tables.hidden) for index, (name, style) in enumerate(tables.found)
        )
        if len(self.sheets) > MAX_SHEETS:
            raise unreadable("too many sheets")

    def rows(self, sheet: Sheet, merges: list[Merge] | None = None) -> Generator[SheetRow]:
        """Yield the rows with values; `merges` is filled meanwhile. Raises WorkbookError."""
        reader = _Rows(int(sheet.part or 0), [] if merges is None else merges)
        with closing(self._package.open(CONTENT)) as stream:
            for _ in walk(stream, reader):
                yield from reader.done
                reader.done.clear()


def _is_encrypted(package: Package) -> bool:
    if _MANIFEST not in package:
        return False
    with closing(package.open(_MANIFEST, MAX_SMALL_BYTES)) as stream:
        return b"encryption-data" in stream.read(MAX_SMALL_BYTES)


MAX_SMALL_BYTES: Final = 4_194_304


def _of(attributes: Mapping[str, str], name: str) -> str:
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), "")


def _count(attributes: Mapping[str, str], name: str) -> int:
    text = _of(attributes, name)
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise unreadable("a count that is no number")
    return max(1, int(text))


class _Tables:
    """Names and styles of the tables, and the styles that hide one."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.hidden: set[str] = set()
        self._style = ""
        self._depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "style":
            self._style = _of(attributes, "name")
        elif name == "table-properties" and _of(attributes, "display") == "false":
            self.hidden.add(self._style)
        elif name == "table":
            if not self._depth:
                self.found.append((_of(attributes, "name"), _of(attributes, "style-name")))
            self._depth += 1

    def end(self, name: str) -> None:
        self._depth -= name == "table"

    def characters(self, text: str) -> None: ...


class _Rows:
    def __init__(self, index: int, merges: list[Merge]) -> None:
        self.done: list[SheetRow] = []
        self._index = index
        self._merges = merges
        self._table = -1
        self._depth = 0
        self._row = 0
        self._column = 0
        self._repeated_rows = 1
        self._repeated = 1
        self._cells: dict[int, str] = {}
        self._unsaved: list[int] = []
        self._attributes: Mapping[str, str] = {}
        self._paragraphs: list[list[str]] = []
        self._length = 0
        self._aside = 0
        """Depth within comments and drawings, which are no part of a cell's value."""
        self._in_cell = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table":
            self._table += not self._depth
            self._depth += 1
        elif self._table != self._index or self._depth != 1:
            return
        elif name in {"annotation", "shapes", "frame"} or self._aside:
            self._aside += 1
        elif name == "table-row":
            self._repeated_rows = _count(attributes, "number-rows-repeated")
            self._column = 0
            self._cells.clear()
            self._unsaved.clear()
        elif name in {"table-cell", "covered-table-cell"}:
            self._begin_cell(attributes)
        elif self._in_cell:
            self._text(name, attributes)

    def end(self, name: str) -> None:
        if name == "table":
            self._depth -= 1
        elif self._table != self._index or self._depth != 1:
            return
        elif self._aside:
            self._aside -= 1
        elif name in {"table-cell", "covered-table-cell"}:
            self._end_cell()
        elif name == "table-row":
            self._end_row()

    def characters(self, text: str) -> None:
        if self._in_cell and not self._aside and self._paragraphs:
            self._add(text)

    def _add(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_CELL_CHARACTERS:
            what = f"a cell is longer than {MAX_CELL_CHARACTERS:,} characters, more than any text may have"
            raise WorkbookError(Fault(line=self._row + 1, message=what))
        self._paragraphs[-1].append(text)

    def _text(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "p":
            self._paragraphs.append([])
        elif name == "s" and self._paragraphs:
            self._add(" " * min(_count(attributes, "c"), MAX_CELL_CHARACTERS))
        elif name in _BLANKS and self._paragraphs:
            self._add(_BLANKS[name])

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        self._attributes = attributes
        self._repeated = _count(attributes, "number-columns-repeated")
        self._paragraphs = []
        self._length, self._in_cell = 0, True
        spanned = _count(attributes, "number-rows-spanned")
        if spanned > 1 and len(self._merges) < MAX_MERGES:
            self._merges.append(Merge(self._row + 1, min(self._row + spanned, MAX_ROWS), self._column))

    def _end_cell(self) -> None:
        self._in_cell = False
        value = _value(self._attributes, "\n".join("".join(pieces) for pieces in self._paragraphs))
        end = min(self._column + self._repeated, MAX_COLUMNS)
        if value:
            self._cells.update(dict.fromkeys(range(self._column, end), value))
        elif _of(self._attributes, "formula") and _of(self._attributes, "value-type") != "string":
            self._unsaved.extend(range(self._column, end))
        self._column += self._repeated

    def _end_row(self) -> None:
        filled = max((column for column, cell in self._cells.items() if cell.strip()), default=-1)
        width = max([filled, *self._unsaved]) + 1
        first, self._row = self._row + 1, self._row + self._repeated_rows
        if not width:
            return
        if self._repeated_rows > MAX_REPEATED_ROWS or self._row > MAX_ROWS:
            raise WorkbookError(Fault(line=first, message="is one row repeated many times; remove it"))
        cells = [self._cells.get(column, "") for column in range(width)]
        unsaved = tuple(self._unsaved)
        self.done += [SheetRow(number, list(cells), unsaved) for number in range(first, self._row + 1)]


def _value(attributes: Mapping[str, str], shown: str) -> str:
    """The value as text: dates and numbers exact, whatever their format; everything else as displayed."""
    kind = _of(attributes, "value-type")
    if kind == "date":
        return _of(attributes, "date-value").removesuffix("T00:00:00") or shown
    if kind == "boolean":
        return _of(attributes, "boolean-value") or shown
    if kind == "float":
        return _number(_of(attributes, "value")) or shown
    return shown if kind in _SHOWN_AS_TEXT or shown else _of(attributes, "value")


def _number(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"
