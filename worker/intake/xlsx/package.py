"""The zip archive that a workbook is: its parts, none of them larger than it may be."""

from __future__ import annotations

import zipfile
from typing import IO, Final

from api_models.problems import Fault

SIGNATURE: Final = b"PK\x03\x04"

MAX_UNPACKED_BYTES: Final = 1_073_741_824
"""Of all parts together. A sheet of a million rows is about 300 MB."""
MAX_UNPACKED_OVER_HTTP_BYTES: Final = 134_217_728
"""The same of an upload: two hundred thousand rows are about 60 MB."""
MAX_RATIO: Final = 200
"""Unpacked bytes for each packed one; spreadsheets stay below 60."""
FREE_BYTES: Final = 16_777_216
"""A part that unpacks to no more is taken at any ratio."""
MAX_STRINGS_BYTES: Final = 134_217_728
"""Of the table of texts, which is kept in memory."""
MAX_SMALL_PART_BYTES: Final = 33_554_432
"""Of the list of sheets, the styles and the like."""

TOO_LARGE: Final = 'is too large for a workbook; save the sheet as "CSV UTF-8"'
UNREADABLE: Final = 'can\'t be read as a workbook ({what}); save the sheet as "CSV UTF-8"'


class WorkbookError(Exception):
    """It can't be read; the fault says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def unreadable(what: str) -> WorkbookError:
    """The error of a workbook that is broken."""
    return WorkbookError(Fault(message=UNREADABLE.format(what=what)))


class Package:
    """The parts of one archive, by their names. The stream stays open."""

    def __init__(self, stream: IO[bytes], most: int | None = None) -> None:
        """Raises WorkbookError for what is no archive, or unpacks to more than `most` bytes."""
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
        """A part as a stream. Raises WorkbookError where there is none, or it is larger than `most` bytes."""
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
