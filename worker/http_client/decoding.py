"""Decodes unrequested content codings: requests ask for identity, and gateways compress anyway.

Decodes gzip and deflate, and names any other coding.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

from urllib3.exceptions import DecodeError, ProtocolError

from worker.http_client.framing import Body

MAX_CODINGS: Final = 3
"""Nested codings."""
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_GZIP_BEGINNING: Final = b"\x1f\x8b"
_OPENING_BYTES: Final = 512
"""Enough to recognise a body that isn't in its declared coding."""


class Readable(Protocol):
    """A readable body."""

    def read1(self, limit_bytes: int) -> bytes:
        """At most that many bytes; empty at the end."""
        ...


def decoded(body: Body, codings: tuple[str, ...]) -> tuple[Readable, str | None]:
    """The decoded body, or the raw body and the name of its unsupported coding. Raises ProtocolError: more than
    `MAX_CODINGS` codings.
    """
    applied = [coding for coding in codings if coding != "identity"]
    if len(applied) > MAX_CODINGS:
        raise ProtocolError("the body is encoded too many times")
    unknown = next((coding for coding in applied if coding not in _GZIP and coding != "deflate"), None)
    if unknown is not None:
        return body, unknown
    readable: Readable = body
    for coding in reversed(applied):
        readable = _Inflated(readable, coding)
    return readable, None


class _Inflated:
    """Decodes one coding; holds no more decoded bytes than requested."""

    __slots__ = ("_body", "_coding", "_decoder", "_held")

    def __init__(self, body: Readable, coding: str) -> None:
        self._body = body
        self._coding = coding
        self._held: bytes | None = None
        """Read and not decoded yet; None before the first read."""
        self._decoder: zlib._Decompress | None = None

    def read1(self, limit_bytes: int) -> bytes:
        """Raises DecodeError if the body is damaged or incomplete."""
        if self._held is None:
            self._held = self._opening()
            self._decoder = _decoder(self._coding, self._held)
        if self._decoder is None:
            return self._coded(limit_bytes)
        while not self._decoder.eof:
            data = self._decoder.unconsumed_tail or self._coded(limit_bytes)
            if piece := self._inflate(self._decoder, data, limit_bytes):
                return piece
            if not data:
                raise DecodeError("the encoded body is not whole")
        return self._behind(self._decoder, limit_bytes)

    def _opening(self) -> bytes:
        opening = b""
        while len(opening) < _OPENING_BYTES and (piece := self._body.read1(_OPENING_BYTES - len(opening))):
            opening += piece
        return opening

    def _coded(self, limit_bytes: int) -> bytes:
        if not self._held:
            return self._body.read1(limit_bytes)
        piece, self._held = self._held[:limit_bytes], self._held[limit_bytes:]
        return piece

    def _inflate(self, decoder: zlib._Decompress, data: bytes, limit_bytes: int) -> bytes:
        try:
            return decoder.decompress(data, limit_bytes)
        except zlib.error as error:
            raise DecodeError("the encoded body is damaged", error) from error

    def _behind(self, decoder: zlib._Decompress, limit_bytes: int) -> bytes:
        """Continue after the end of a gzip member with the next one; discard anything else."""
        self._held = decoder.unused_data + (self._held or b"")
        while len(self._held) < len(_GZIP_BEGINNING) and (piece := self._body.read1(limit_bytes)):
            self._held += piece
        if self._coding in _GZIP and self._held.startswith(_GZIP_BEGINNING):
            self._decoder = _new_gzip()
            return self.read1(limit_bytes)
        while self._coded(limit_bytes):
            pass
        self._decoder = None
        return b""


def _decoder(coding: str, opening: bytes) -> zlib._Decompress | None:
    """None for a body that isn't in its declared coding; it is returned as it is."""
    if not opening:
        return None
    if coding in _GZIP:
        return _new_gzip() if opening.startswith(_GZIP_BEGINNING) else None
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            zlib.decompressobj(window).decompress(opening)
        except zlib.error:
            continue
        return zlib.decompressobj(window)
    return None


def _new_gzip() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)
