"""Opens, rewinds and counts the bytes of a file or stream. Parses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from api_models.hints import did_you_mean
from api_models.problems import Fault

MAX_SIBLINGS: Final = 1_000
"""Files of a folder compared with a name that is not there."""
HEAD_BYTES: Final = 65_536

_CHUNK_BYTES: Final = 1_048_576
_MEMORY_BYTES: Final = 8_388_608
"""Pipes are buffered in memory up to this size, then in a temporary file."""


class UnreadableError(Exception):
    """The input as a whole can't be read. `fault` states why, with a remedy."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@contextmanager
def opened(source: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """Open `source` as a rewindable stream. A stream that was passed in stays open. Raises OSError: the source can't be
    opened or read.
    """
    if isinstance(source, Path):
        with source.open("rb") as stream, _rewindable(stream) as rewindable:
            yield rewindable
    else:
        with _rewindable(source) as rewindable:
            yield rewindable


@contextmanager
def _rewindable(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    if stream.seekable():
        yield stream
        return
    with SpooledTemporaryFile(max_size=_MEMORY_BYTES) as copy:
        shutil.copyfileobj(stream, copy, _CHUNK_BYTES)
        copy.seek(0)
        yield copy


def head_and_lines(stream: IO[bytes]) -> tuple[bytes, int, bool]:
    """Return the first bytes, the number of lines, and whether a line is too long to read whole. Rewinds."""
    start = stream.tell()
    head = stream.read(HEAD_BYTES)
    stream.seek(start)
    breaks, last, endless = 0, b"", False
    while chunk := stream.read(_CHUNK_BYTES):
        here = chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
        endless = endless or (not here and len(chunk) == _CHUNK_BYTES)
        breaks += here - (last == b"\r" and chunk.startswith(b"\n"))
        last = chunk[-1:]
    stream.seek(start)
    return head, breaks + (last not in {b"", b"\n", b"\r"}), endless


def _similar(name: object) -> str:
    path = Path(str(name))
    try:
        there = [one.name for one in islice(path.parent.iterdir(), MAX_SIBLINGS) if one.is_file()]
    except OSError:
        return ""
    return did_you_mean(path.name, there)


def unreadable(error: OSError) -> Fault:
    match error:
        case FileNotFoundError():
            what = f"there is no such file{_similar(error.filename)}"
        case IsADirectoryError():
            what = "is a folder; name a file in it"
        case PermissionError():
            what = "can't be read: permission denied"
        case _:
            what = f"can't be read: {error.strerror or error}"
    return Fault(message=what)
