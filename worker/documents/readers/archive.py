"""Zip archives from outside, read within limits."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from types import TracebackType
from typing import IO, Final, Self

from worker.documents.errors import DocumentError

MAX_ENTRIES: Final = 20_000
MAX_ENTRY_BYTES: Final = 32 * 2**20
"""Of one file that holds text."""
MAX_TEXT_BYTES: Final = 128 * 2**20
"""Of all files that are read from one archive."""
MAX_TOTAL_BYTES: Final = 512 * 2**20
"""Of everything in an archive that a library reads whole."""
MAX_RATIO: Final = 300
"""Text shrinks to a tenth; only made-up files shrink to less than this."""
MIN_SUSPICIOUS_BYTES: Final = 2**20
"""Smaller files may shrink as they like."""
_ENCRYPTED: Final = 0x1
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class Archive:
    """One open archive. Reads members whole, and no more than the limits allow."""

    def __init__(self, stream: IO[bytes], what: str) -> None:
        """`what` names the format in errors: "EPUB". Raises DocumentError: It isn't a zip archive, or has too many
        entries.
        """
        self._what = what
        self._left = MAX_TEXT_BYTES
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            message = f"the file is not a whole {what}: {error}"
            raise DocumentError(message, "open and save it again in the program that wrote it") from None
        if len(self._zip.filelist) > MAX_ENTRIES:
            raise DocumentError(f"the {what} has {len(self._zip.filelist):,} entries; the limit is {MAX_ENTRIES:,}")
        self.names = frozenset(self._zip.namelist())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """Return a member's bytes. Raises DocumentError: It is missing, encrypted, damaged or too large."""
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise DocumentError(f"the {self._what} lacks {name!r}, which it refers to") from None
        self._check(info)
        try:
            with self._zip.open(info) as member:
                content = member.read(MAX_ENTRY_BYTES + 1)
        except DAMAGE as error:
            raise DocumentError(f"{name!r} in the {self._what} is damaged: {error}") from None
        self._left -= len(content)
        if len(content) > MAX_ENTRY_BYTES or self._left < 0:
            raise self._too_large(name)
        return content

    def check(self) -> None:
        """Refuse the archive if any member exceeds the limits, for libraries that read it by themselves."""
        infos = self._zip.infolist()
        for info in infos:
            self._check(info)
        if sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
            raise self._too_large(infos[0].filename)

    def _check(self, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & _ENCRYPTED:
            raise DocumentError(f"the {self._what} is protected with a password", "save it without one")
        ratio = info.file_size / max(1, info.compress_size)
        if info.file_size > MAX_ENTRY_BYTES or (info.file_size > MIN_SUSPICIOUS_BYTES and ratio > MAX_RATIO):
            raise self._too_large(info.filename)

    def _too_large(self, name: str) -> DocumentError:
        limit = f"{MAX_ENTRY_BYTES // 2**20} MB a file and {MAX_TEXT_BYTES // 2**20} MB in all"
        return DocumentError(f"{name!r} in the {self._what} unpacks to too much text; the limits are {limit}")
