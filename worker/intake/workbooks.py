"""Workbooks (.xlsx, .ods): selects sheets and yields their rows. Streamed, in two passes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import IO, Final, Protocol

from api_models.hints import did_you_mean, quoted
from api_models.problems import Fault
from worker.intake.block import Record, as_record
from worker.intake.carried import with_first
from worker.intake.header import CELLS, NAME, TEXT, Header, WholeFault, header_faults, trimmed
from worker.intake.opendocument import CONTENT as OPEN_DOCUMENT
from worker.intake.opendocument import OpenDocument
from worker.intake.positions import LINES, Positions, Sheets
from worker.intake.sheet_options import SHEET, SheetOptions
from worker.intake.sheets import MAX_TITLE_LINES, SAMPLED_LINES
from worker.intake.xlsx.book import ExcelBook
from worker.intake.xlsx.contents import Sheet
from worker.intake.xlsx.package import MAX_UNPACKED_OVER_HTTP_BYTES, Package, WorkbookError
from worker.intake.xlsx.worksheet import Merge, SheetRow

SHOWN_SHEETS: Final = 20
_NOT_MERGED: Final = frozenset({TEXT, NAME})
"""Fields for which a merged cell counts for its first row only."""


class Book(Protocol):
    """The sheets of a file and their rows."""

    sheets: tuple[Sheet, ...]

    def rows(self, sheet: Sheet, merges: list[Merge] | None = None) -> Generator[SheetRow]:
        """Raises WorkbookError."""


def _opened(package: Package) -> Book:
    return OpenDocument(package) if OPEN_DOCUMENT in package else ExcelBook(package)


@dataclass(slots=True)
class Survey:
    """Facts about a sheet gathered before its rows are used."""

    rows: int = 0
    last: int = 0
    """The number of the last row."""
    merges: list[Merge] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Surveyed:
    sheet: Sheet
    survey: Survey

    def __str__(self) -> str:
        hidden = "hidden, " if self.sheet.hidden else ""
        count = self.survey.rows
        return f"{quoted(self.sheet.name)} ({hidden}{'1 row' if count == 1 else f'{count:,} rows'})"


class Workbook:
    def __init__(self, stream: IO[bytes], options: SheetOptions) -> None:
        """Raises WorkbookError if the workbook is unreadable or the choice of sheets is unclear."""
        self._options = options
        self._book = _opened(Package(stream, MAX_UNPACKED_OVER_HTTP_BYTES if options.over_http else None))
        self._chosen = self._choose(self._book.sheets)
        ends = list(accumulate(one.survey.last for one in self._chosen))
        self.rows = ends[-1] if ends else 0
        """The last row number over all chosen sheets."""
        self.positions: Positions = LINES
        if len(self._chosen) > 1:
            self.positions = Sheets([one.sheet.name for one in self._chosen], ends)
        self.unread = tuple(
            sheet.name for sheet in self._book.sheets if sheet.hidden and sheet.part and not options.chooses_sheets
        )
        """Hidden sheets that were not named."""

    def records(self) -> Iterator[Header | Record | Fault]:
        """Yield the header and records of each sheet, with row numbers continuing across sheets."""
        above = 0
        for one in self._chosen:
            name = one.sheet.name if len(self._chosen) > 1 else None
            for item in self._records(one):
                yield _moved(item, above, name)
            above += one.survey.last

    def _records(self, one: _Surveyed) -> Iterator[Header | Record | Fault]:
        with closing(self._book.rows(one.sheet)) as source:
            found = _header(source, self._options)
            if found is None:
                return
            header, line = found
            yield header
            sample = () if header.has_text else [row.cells for row in islice(source, SAMPLED_LINES)]
            yield from header_faults(header, line, self._options, sample)
            if not header.has_text:
                return
            count = 0
            for row in _filled(source, one.survey.merges, header):
                count += 1
                yield from _record(row, header)
            if not count:
                yield Fault(line=line, message="the header names columns, but no rows follow it")

    def _survey(self, sheet: Sheet) -> _Surveyed:
        found = Survey()
        for row in self._book.rows(sheet, found.merges):
            found.rows += 1
            found.last = row.number
        return _Surveyed(sheet, found)

    def _choose(self, sheets: Sequence[Sheet]) -> list[_Surveyed]:
        options = self._options
        if options.sheets and options.all_sheets:
            both = f"{options.spelled('sheet', options.sheets[0])} and {options.spelled('all-sheets')}"
            raise WorkbookError(Fault(message=f"{both} were both given; leave one out"))
        if options.sheets:
            named = dict.fromkeys(_named(name, sheets) for name in options.sheets)
            return [self._survey(sheet) for sheet in named]
        visible = [self._survey(sheet) for sheet in sheets if sheet.part and not sheet.hidden]
        full = [one for one in visible if one.survey.rows > 1] or [one for one in visible if one.survey.rows]
        if not full:
            full = [self._survey(sheet) for sheet in sheets if sheet.part and sheet.hidden]
            full = [one for one in full if one.survey.rows > 1]
            if full:
                raise WorkbookError(Fault(message=_unclear(full, options, "rows in hidden sheets only")))
        if len(full) > 1 and not options.all_sheets:
            raise WorkbookError(Fault(message=_unclear(full, options, f"{len(full)} sheets with rows")))
        return full


def _named(name: str, sheets: Sequence[Sheet]) -> Sheet:
    same: Sequence[Callable[[str], str]] = (str, lambda text: " ".join(text.split()).casefold())
    for form in same:
        if (found := next((sheet for sheet in sheets if form(sheet.name) == form(name)), None)) is not None:
            if found.part is None:
                raise WorkbookError(Fault(message=f"the sheet {quoted(found.name)} is a chart and has no rows"))
            return found
    names = [sheet.name for sheet in sheets]
    shown = ", ".join(map(quoted, names[:SHOWN_SHEETS])) + (", …" if len(names) > SHOWN_SHEETS else "")
    hint = did_you_mean(name, names[:SHOWN_SHEETS])
    raise WorkbookError(Fault(message=f"has no sheet {quoted(name)}{hint} (sheets: {shown})"))


def _unclear(found: Sequence[_Surveyed], options: SheetOptions, what: str) -> str:
    shown = ", ".join(map(str, found[:SHOWN_SHEETS])) + (", …" if len(found) > SHOWN_SHEETS else "")
    one = options.spelled("sheet", found[0].sheet.name)
    every = "" if found[0].sheet.hidden else f", or read all of them: {options.spelled('all-sheets')}"
    return f"has {what}: {shown}; choose one: {one}{every}"


def _header(source: Iterator[SheetRow], options: SheetOptions) -> tuple[Header, int] | None:
    """Return the header and its row, after an optional title; None for an empty sheet."""
    first: tuple[Header, int] | None = None
    for row in islice(source, MAX_TITLE_LINES):
        header = Header.of(trimmed(row.cells), CELLS, options)
        if header.has_text:
            return header, row.number
        first = first or (header, row.number)
        if sum(map(bool, header.columns)) > 1:
            return first
    return first


def _filled(source: Iterator[SheetRow], merges: Sequence[Merge], header: Header) -> Iterator[SheetRow]:
    fields = header.known()
    starts = {(merge.first, merge.column): merge.last for merge in merges}
    held: dict[int, tuple[int, str]] = {}
    for row in source:
        for column in [column for column, (last, _) in held.items() if last < row.number]:
            del held[column]
        cells = [*row.cells, *[""] * (max(held, default=-1) + 1 - len(row.cells))]
        if any(map(str.strip, row.cells)) or row.unsaved:
            for column, (_, value) in held.items():
                cells[column] = cells[column] or value
        if starts:
            for column, cell in enumerate(row.cells):
                last = starts.get((row.number, column))
                if last and column < len(fields) and fields[column] not in _NOT_MERGED:
                    held[column] = (last, cell)
        yield row._replace(cells=cells) if held else row


def _record(row: SheetRow, header: Header) -> Iterator[Record | Fault]:
    fields = header.known()
    unsaved = [fields[place] for place in row.unsaved if place < len(fields) and fields[place]]
    for name in unsaved:
        message = "is a formula without a saved value; open the workbook in a spreadsheet program and save it"
        yield Fault(line=row.number, field=name, message=message)
    if not unsaved and any(map(str.strip, row.cells)):
        yield as_record(row.number, row.number, row.cells, header)


def _moved(item: Header | Record | Fault, above: int, sheet: str | None) -> Header | Record | Fault:
    if isinstance(item, Header):
        return item
    if isinstance(item, Fault):
        kind = WholeFault if isinstance(item, WholeFault) else Fault
        return kind(line=(item.line or 0) + above, field=item.field, message=item.message)
    if sheet is None:
        return item
    return replace(
        item, line=item.line + above, last_line=item.last_line + above, extra=with_first(item.extra, SHEET, sheet)
    )
