"""A file for encoders that go back at their end to complete its beginning: what they write there is left out.

The beginning may have been sent by then. A FLAC gets its length, if it is known, when the beginning is written.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

FLAC: Final = b"fLaC"
FLAC_HEADER_BYTES: Final = 42
"""The signature and the first block, STREAMINFO."""
_LENGTH_AT: Final = 18
"""Eight bytes of it, whose lower 36 bits are the number of frames (RFC 9639, 8.2)."""
_LENGTH_BITS: Final = 36


class Target(Protocol):
    def write(self, content: bytes, /) -> object: ...


class Appending:
    """What libsndfile needs of a file that it writes."""

    def __init__(self, file: Target, frames: int | None) -> None:
        self._file = file
        self._frames = frames
        self._held = b""
        """The beginning, until there is enough of it to know what it is."""
        self._has_begun = False
        self._at = 0
        self._end = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, _count: int = -1) -> bytes:
        return b""

    def write(self, content: bytes) -> int:
        fresh = content[max(0, self._end - self._at) :]
        self._at += len(content)
        self._end = max(self._end, self._at)
        if self._has_begun:
            self._file.write(fresh)
            return len(content)
        self._held += fresh
        if len(self._held) >= FLAC_HEADER_BYTES:
            self.close()
        return len(content)

    def close(self) -> None:
        """Write what is held. The file itself stays open."""
        self._file.write(_with_length(self._held, self._frames))
        self._held, self._has_begun = b"", True


def _with_length(beginning: bytes, frames: int | None) -> bytes:
    is_flac = beginning.startswith(FLAC) and len(beginning) >= FLAC_HEADER_BYTES
    if frames is None or not is_flac or frames >= 1 << _LENGTH_BITS:
        return beginning
    after = _LENGTH_AT + 8
    known = int.from_bytes(beginning[_LENGTH_AT:after], "big") >> _LENGTH_BITS << _LENGTH_BITS
    return beginning[:_LENGTH_AT] + (known | frames).to_bytes(8, "big") + beginning[after:]
