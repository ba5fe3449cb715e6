"""An Excel workbook: its sheets and their rows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from worker.intake.xlsx.contents import Sheet, contents
from worker.intake.xlsx.package import Package
from worker.intake.xlsx.strings import shared_strings
from worker.intake.xlsx.styles import cell_styles
from worker.intake.xlsx.worksheet import Lookup, Merge, SheetRow, rows


class ExcelBook:
    def __init__(self, package: Package) -> None:
        """Raises WorkbookError."""
        self._package = package
        found = contents(package)
        styles = cell_styles(package)
        self._lookup = Lookup(shared_strings(package), styles.dates, found.from_1904, styles.percents)
        self.sheets = found.sheets

    def rows(self, sheet: Sheet, merges: list[Merge] | None = None) -> Generator[SheetRow]:
        """Yield the rows with values; `merges` is complete after the last one. Raises WorkbookError."""
        with closing(self._package.open(sheet.part or "")) as stream:
            yield from rows(stream, self._lookup, merges)
