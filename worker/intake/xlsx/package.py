"""The zip archive of a workbook, with bounds on every part."""

from __future__ import annotations

import zipfile
from typing import IO, Final

from api_models.problems import Fault
from worker.intake.source import UnreadableError

MAX_UNPACKED_BYTES: Final = 1_073_741_824
"""All parts together. A sheet of a million rows takes about 300 MB."""
MAX_UNPACKED_OVER_HTTP_BYTES: Final = 134_217_728
"""The same for uploads: two hundred thousand rows take about 60 MB."""
MAX_RATIO: Final = 200
"""Unpacked bytes per packed byte; real spreadsheets stay below 60."""
FREE_BYTES: Final = 16_777_216
"""Parts up to this size are accepted at any ratio."""
MAX_STRINGS_BYTES: Final = 134_217_728
"""The shared strings are kept in memory."""
MAX_SMALL_PART_BYTES: Final = 33_554_432
"""Sheet list, styles and similar parts."""

TOO_LARGE: Final = 'is too large for a workbook; save the sheet as "CSV UTF-8"'
UNREADABLE: Final = 'can\'t be read as a workbook ({what}); save the sheet as "CSV UTF-8"'


class WorkbookError(UnreadableError):
    """The workbook is damaged, protected or too large."""


def unreadable(what: str) -> WorkbookError:
    return WorkbookError(Fault(message=UNREADABLE.format(what=what)))


class Package:
    """The parts of an archive by name. The stream stays open."""

    def __init__(self, stream: IO[bytes], most: int | None = None) -> None:
        """Raises WorkbookError for an invalid archive, or one larger than the limit."""
        stream.seek(0)
        try:
            self._archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise unreadable(type(error).__name__) from error
        self._parts = {entry.filename.replace("\\", "/").lower(): entry for entry in self._archive.infolist()}
        total = sum(entry.file_size for entry in self._parts.values())
        if total > (most or MAX_UNPACKED_BYTES) or any(map(_is_bomb, self._parts.values())):
            raise WorkbookError(Fault(message=TOO_LARGE))
        if any(entry.flag_bits & 1 for entry in self._parts.values()):
            raise WorkbookError(Fault(message="is protected with a password; remove it, or save the sheet as CSV"))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._parts

    def open(self, name: str, most: int = MAX_UNPACKED_BYTES) -> IO[bytes]:
        """Open a part. Raises WorkbookError if it is missing or larger than the limit."""
        entry = self._parts.get(name.lower())
        if entry is None:
            raise unreadable(f"it has no {name}")
        if entry.file_size > most:
            raise WorkbookError(Fault(message=TOO_LARGE))
        try:
            return self._archive.open(entry)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise unreadable(type(error).__name__) from error


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > FREE_BYTES and entry.file_size > MAX_RATIO * max(1, entry.compress_size)
