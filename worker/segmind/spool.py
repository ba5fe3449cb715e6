"""The file an answer is written to. It bears its final name only once it is whole; until then it ends in `.part`.

Never fsyncs: after a crash of the machine the API's answer is asked for again, after one of the process it is there.
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
"""How much of a body's beginning is looked at."""

_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Control bytes that no text holds."""


def is_text(opening: bytes) -> bool:
    """Whether a body beginning so is text (JSON, HTML, prose) and thus no audio.

    Every container has control bytes, or bytes that aren't UTF-8, within its first few hundred; so has raw PCM, where
    silence is zeros and sound is noise.
    """
    if not opening or _BINARY.search(opening):
        return False
    try:
        opening.decode()
    except UnicodeDecodeError as error:
        # A character that the look itself cut in two is no sign of audio.
        return len(opening) >= OPENING_BYTES and error.start > len(opening) - 4
    return True


def is_plain(opening: bytes) -> bool:
    """Whether a body beginning so can be used as it is, whatever coding its head claims."""
    return not opening or is_text(opening) or is_container(opening)


def is_container(opening: bytes) -> bool:
    """Whether an audio file begins so: WAV, MP3, Ogg, FLAC, MP4."""
    if opening.startswith((b"RIFF", b"RIFX", b"RF64", b"ID3", b"OggS", b"fLaC")) or opening[4:8] == b"ftyp":
        return True
    return len(opening) > 1 and opening[0] == 0xFF and opening[1] & 0xE0 == 0xE0


PART_SUFFIX: Final = ".part"


class Draft:
    """A spool file being written. Created before the call is paid for; left without `keep`, it vanishes.

    It is open only from `open` on, so that calls waiting for their answer hold a socket each and no file.
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
            # A part that can't be removed does no harm: nothing ever takes it for an answer.
            with suppress(OSError):
                os.unlink(self._part)  # noqa: PTH108 - as in `keep`

    def open(self, answer: Answer) -> None:
        """Begin to write. `answer` is what is known of the call so far; an error of the disk carries it along."""
        self._answer = answer
        try:
            self._descriptor = os.open(self._part, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise SpoolError(self.path, error, answer) from error

    def write(self, piece: bytes) -> None:
        """Append; a short write (a full disk makes one) is followed up, so that the disk's error is seen."""
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
        """The beginning of what was written, or all of it."""
        if limit_bytes <= OPENING_BYTES:
            return self._head[:limit_bytes]
        try:
            return os.pread(self._descriptor, limit_bytes, 0)
        except OSError as error:
            raise SpoolError(self.path, error, self._answer) from error

    def restart(self) -> None:
        """Forget what was written."""
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
        """Of what was written: taken as it passes, so that nobody reads the file again for it."""
        return self._digest.hexdigest()

    def keep(self) -> Path:
        """Give the file its final name."""
        try:
            os.replace(self._part, self.path)  # noqa: PTH105 - a Path would be built for every call, to no use
        except OSError as error:
            raise SpoolError(self.path, error, self._answer) from error
        self._kept = True
        return self.path
