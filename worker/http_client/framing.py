"""Determines the end of an answer's body: by its length, its last chunk, or the end of the connection."""

from __future__ import annotations

import re
from http.client import IncompleteRead
from typing import Final, Protocol

from urllib3.exceptions import ProtocolError

from worker.http_client.heads import Head
from worker.http_client.source import Source

MAX_LINE_BYTES: Final = 4 * 1024
"""Of a chunk's size line, and of a trailer."""
MAX_TRAILER_BYTES: Final = 16 * 1024
"""Of all trailers, which are discarded."""
MAX_EXCESS_BYTES: Final = 16 * 1024
"""Allowance for chunk extensions over the whole body."""

_PLAIN_LINE_BYTES: Final = 16
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_WITHOUT_BODY: Final = frozenset({204, 304})


class Body(Protocol):
    """The framed bytes of a body."""

    ended: bool
    """Whether it was read to its end."""
    marks_its_end: bool
    """Whether the connection may be reused."""

    def read1(self, limit_bytes: int) -> bytes:
        """At most that many bytes, as soon as any are available; empty at the end. Raises LateError: the deadline
        passed; ProtocolError: the body is cut off or garbled, or the connection broke.
        """
        ...


class NoBody:
    """No body, whatever the head declares. The connection isn't reused, in case one arrives."""

    __slots__ = ()
    ended: bool = True
    marks_its_end: bool = False

    def read1(self, limit_bytes: int) -> bytes:  # noqa: ARG002 - as `Body`
        return b""


class FixedLength:
    __slots__ = ("_remaining", "_source", "ended", "marks_its_end")

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._remaining = length
        self.ended = not length
        self.marks_its_end = True

    def read1(self, limit_bytes: int) -> bytes:
        if self.ended:
            return b""
        piece = self._source.take(min(limit_bytes, self._remaining))
        if not piece:
            raise _cut(self._remaining)
        self._remaining -= len(piece)
        self.ended = not self._remaining
        return piece


class UntilClose:
    """A body that ends with its connection; truncation can't be detected here."""

    __slots__ = ("_source", "ended", "marks_its_end")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.ended = False
        self.marks_its_end = False

    def read1(self, limit_bytes: int) -> bytes:
        piece = b"" if self.ended else self._source.take(limit_bytes)
        self.ended = not piece
        return piece


class Chunked:
    """A chunked body. Extensions and trailers are bounded and discarded."""

    __slots__ = ("_begun", "_excess", "_remaining", "_source", "ended", "marks_its_end")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._remaining = 0
        self._begun = False
        self._excess = 0
        self.ended = False
        self.marks_its_end = True

    def read1(self, limit_bytes: int) -> bytes:
        pieces: list[bytes] = []
        room = limit_bytes
        while room and not self.ended:
            if not self._remaining and not self._next_chunk():
                break
            piece = self._source.take(min(room, self._remaining))
            if not piece:
                raise _cut(self._remaining)
            self._remaining -= len(piece)
            room -= len(piece)
            pieces.append(piece)
            if not self._source.has_more:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next_chunk(self) -> bool:
        """Read the next chunk's size line; False after the last chunk."""
        if self._begun and self._source.line(2) != b"\r\n":
            raise ProtocolError("a chunk is longer than its size says")
        self._begun = True
        line = self._source.line(MAX_LINE_BYTES)
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise ProtocolError("a chunk without a valid size")
        self._remaining = int(found[1], 16)
        self._excess = max(0, self._excess + len(line) - _PLAIN_LINE_BYTES - 2 * self._remaining)
        if self._excess > MAX_EXCESS_BYTES:
            raise ProtocolError("the chunk extensions are too large")
        if not self._remaining:
            self._skip_trailers()
            self.ended = True
        return not self.ended

    def _skip_trailers(self) -> None:
        read = 0
        while (line := self._source.line(MAX_LINE_BYTES)) != b"\r\n":
            read += len(line)
            if read > MAX_TRAILER_BYTES:
                raise ProtocolError("the trailers are too large")


def body_of(head: Head, method: str, source: Source) -> tuple[Body, tuple[str, ...]]:
    """The body after `head`, and its transfer codings besides chunked. Raises ProtocolError: the end of the body is
    ambiguous.
    """
    if method == "HEAD" or head.status in _WITHOUT_BODY:
        return NoBody(), ()
    codings = tuple(coding for coding in tokens(head.headers.get("transfer-encoding", "")) if coding != "identity")
    if "chunked" in codings[:-1]:
        raise ProtocolError("the body is in chunks more than once")
    if codings[-1:] == ("chunked",):
        return Chunked(source), codings[:-1]
    if codings or "content-length" not in head.headers:
        return UntilClose(source), codings
    return FixedLength(source, _length(head.headers["content-length"])), ()


def tokens(value: str) -> tuple[str, ...]:
    """The entries of a list header, in lower case."""
    return tuple(entry for entry in (part.strip().lower() for part in value.split(",")) if entry)


def _length(value: str) -> int:
    if _LENGTH.fullmatch(value):
        return int(value)
    lengths = {entry.strip() for entry in value.split(",")}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise ProtocolError(f"the answer's length is unclear: {value[:60]!r}")
    return int(length)


def _cut(left: int) -> ProtocolError:
    return ProtocolError("the connection ended before the answer did", IncompleteRead(b"", left))
