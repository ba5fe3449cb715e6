"""Workbooks (.xlsx): the rows of the first sheet, as lines of the CSV that a spreadsheet would save. Streamed.

Its weakness: formulas count with the values that were last saved, and other sheets than the first aren't read.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import IO, Any, Final

from api_models.problems import Fault
from worker.intake.record import Line

SIGNATURE: Final = b"PK\x03\x04"
MOST_UNPACKED_BYTES: Final = 1_073_741_824
"""Of all that the archive holds. A sheet of a million rows is about 300 MB."""
MOST_STRINGS_BYTES: Final = 134_217_728
"""Of the table of texts, which is kept in memory."""

_STRINGS: Final = "xl/sharedStrings.xml"
_UNREADABLE: Final = 'can\'t be read as a workbook ({what}); save the sheet as "CSV UTF-8"'


class WorkbookError(Exception):
    """It can't be read; the fault says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def row_count(stream: IO[bytes]) -> int:
    """How many rows the first sheet has. Raises WorkbookError where it can't be told."""
    with _first_sheet(stream) as sheet:
        return sum(1 for _ in sheet)


def lines(stream: IO[bytes]) -> Iterator[Line]:
    """Each row as a line of CSV under its number. Raises WorkbookError where there is no going on."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with _first_sheet(stream) as sheet:
        width = 0
        for number, cells in enumerate(sheet, 1):
            shown = [_shown(cell) for cell in cells]
            while len(shown) > width and not shown[-1]:  # a sheet may be wider than its header
                shown.pop()
            width = width or len(shown)
            text.seek(0)
            text.truncate()
            writer.writerow(shown + [""] * (width - len(shown)))
            yield Line(number, text.getvalue() if any(shown) else "\n")


@contextmanager
def _first_sheet(stream: IO[bytes]) -> Iterator[Iterator[Sequence[Any]]]:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra that only workbooks need
    except ImportError:
        what = "needs the extra for workbooks: pip install 'ttsq[xlsx]'"
        raise WorkbookError(Fault(message=f'{what}; or save the sheet as "CSV UTF-8"')) from None
    stream.seek(0)
    try:
        _check_sizes(stream)
        stream.seek(0)
        workbook = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        try:
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # what the file says of its size needn't be so
            yield sheet.iter_rows(values_only=True)
        finally:
            workbook.close()
    except WorkbookError:
        raise
    except Exception as error:
        raise WorkbookError(Fault(message=_UNREADABLE.format(what=type(error).__name__))) from error


def _check_sizes(stream: IO[bytes]) -> None:
    """A few kilobytes may unpack to any size: what is unpacked is bounded by what is said here."""
    with zipfile.ZipFile(stream) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    if sum(sizes.values()) > MOST_UNPACKED_BYTES or sizes.get(_STRINGS, 0) > MOST_STRINGS_BYTES:
        raise WorkbookError(Fault(message='is too large for a workbook; save the sheet as "CSV UTF-8"'))


def _shown(cell: object) -> str:
    """A cell as a CSV has it."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime() | date():
            return cell.isoformat()
        case _:
            return str(cell)
