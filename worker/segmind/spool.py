"""The file that an answer is written to: named `.part` until it is complete.

Never fsynced: after a power failure the answer is requested again; after a process crash the file is intact.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from worker.segmind.answers import Answer
from worker.segmind.errors import SpoolError

OPENING_BYTES: Final = 512
"""How much of a body is inspected."""

_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Control bytes that no text contains."""


def is_text(opening: bytes) -> bool:
    """Whether a body with this opening is text (JSON, HTML, prose) and so not audio.

    Every container, and raw PCM, has control bytes or invalid UTF-8 within its first few hundred bytes.
    """
    if not opening or _BINARY.search(opening):
        return False
    try:
        opening.decode()
    except UnicodeDecodeError as error:
        # The opening may end within a character; that is no sign of audio.
        return len(opening) >= OPENING_BYTES and error.start > len(opening) - 4
    return True


def is_plain(opening: bytes) -> bool:
    """Whether a body with this opening is usable, whatever its declared coding."""
    return not opening or is_text(opening) or is_container(opening)


def is_container(opening: bytes) -> bool:
    """Whether an audio file starts like this: WAV, MP3, Ogg, FLAC, MP4."""
    if opening.startswith((b"RIFF", b"RIFX", b"RF64", b"ID3", b"OggS", b"fLaC")) or opening[4:8] == b"ftyp":
        return True
    return len(opening) > 1 and opening[0] == 0xFF and opening[1] & 0xE0 == 0xE0


PART_SUFFIX: Final = ".part"


class Draft:
    """A spool file being written. Created before the paid call; deleted on exit unless `keep` was called.

    Opened only by `open`, so that waiting calls hold a socket each and no file.
    """

    __slots__ = ("_answer", "_descriptor", "_digest", "_head", "_kept", "_part", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._answer: Answer | None = None
        self._part = f"{path}{PART_SUFFIX}"
        self._descriptor = -1
        self._digest = hashlib.sha256()
        self._head = b""
        self._kept = False

    def __enter__(self) -> Self:
        try:
            os.close(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise SpoolError(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        if not self._kept:
            # A leftover part is harmless: it is never read as an answer.
            with suppress(OSError):
                os.unlink(self._part)  # noqa: PTH108 - as in `keep`

    def open(self, answer: Answer) -> None:
        """Open for writing. `answer` is what is known of the call; a disk error carries it."""
        self._answer = answer
        try:
            self._descriptor = os.open(self._part, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise SpoolError(self.path, error, answer) from error

    def write(self, piece: bytes) -> None:
        """Append; a short write is continued, so that a full disk raises its error."""
        try:
            written = os.write(self._descriptor, piece)
            while written < len(piece):
                written += os.write(self._descriptor, memoryview(piece)[written:])
        except OSError as error:
            raise SpoolError(self.path, error, self._answer) from error
        if len(self._head) < OPENING_BYTES:
            self._head += piece[: OPENING_BYTES - len(self._head)]
        self.size += len(piece)
        self._digest.update(piece)

    def read(self, limit_bytes: int) -> bytes:
        if limit_bytes <= OPENING_BYTES:
            return self._head[:limit_bytes]
        try:
            return os.pread(self._descriptor, limit_bytes, 0)
        except OSError as error:
            raise SpoolError(self.path, error, self._answer) from error

    def restart(self) -> None:
        if not self.size:
            return
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise SpoolError(self.path, error, self._answer) from error
        self.size = 0
        self._digest, self._head = hashlib.sha256(), b""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def keep(self) -> Path:
        try:
            os.replace(self._part, self.path)  # noqa: PTH105 - hot path
        except OSError as error:
            raise SpoolError(self.path, error, self._answer) from error
        self._kept = True
        return self.path
