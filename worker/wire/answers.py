"""What comes back. Nearly every answer tells its length and comes as it is: httptools parses its head, and its body is
read from the socket. Every other is left to urllib3, which takes several times as long and knows all that HTTP allows.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from http.client import HTTPResponse, IncompleteRead
from typing import Any, Final, Protocol

import urllib3
from httptools import HttpParserError, HttpResponseParser
from urllib3.exceptions import HTTPError, ProtocolError

_END: Final = b"\r\n\r\n"
_FIRST_FINAL: Final = 200
"""Answers below are followed by another one."""
_WITHOUT_BODY: Final = frozenset({204, 304})
_ENCODED: Final = frozenset({"transfer-encoding", "content-encoding"})


class LateError(HTTPError):
    """Something was sent, and no answer came in the time it had, or no more of it."""


class Incoming(Protocol):
    """An answer whose head is there, and whose body is yet to be read. Headers are asked for in lower case."""

    @property
    def status(self) -> int:
        """Of HTTP."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of one name in one, after one another."""
        ...

    def read1(self, amt: int, *, decode_content: bool) -> bytes:
        """At most so much more, what is there; nothing at the end. Raises urllib3's errors."""
        ...


class Response(Incoming, Protocol):
    """One on a connection that may serve on."""

    @property
    def is_spent(self) -> bool:
        """Whether it was read to its end, and its connection is good for another request."""
        ...

    def read(self) -> bytes:
        """All that is left. Raises urllib3's errors."""
        ...

    def close(self) -> None:
        """Nothing more is read."""
        ...


def read_answer(reader: io.BufferedReader, method: str) -> Response:
    """The answer that begins here, of which something is there.

    Raises:
        HTTPException: it is none.
        OSError: the connection broke.
    """
    return _plain(reader, method) or _Other(reader, method)


class _Head:
    """What httptools tells of a head."""

    __slots__ = ("complete", "headers")

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        self.complete = True


def _plain(reader: io.BufferedReader, method: str) -> Response | None:
    """None where this isn't one; then nothing of it was read."""
    there = reader.peek(1)
    end = there.find(_END) + len(_END)
    if end < len(_END) or method == "HEAD":
        return None
    head = _Head()
    parser = HttpResponseParser(head)
    try:
        parser.feed_data(there[:end])
    except HttpParserError:
        return None
    status, length = parser.get_status_code(), _length(head.headers)
    is_usual = head.complete and parser.get_http_version() == "1.1" and status >= _FIRST_FINAL
    if length is None or not is_usual or status in _WITHOUT_BODY:
        return None
    reader.read(end)
    return _Plain(reader, status, head.headers, length)


def _length(headers: Mapping[str, str]) -> int | None:
    """Of a body that comes as it is, where that is told."""
    told = headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdecimal() and not _ENCODED & headers.keys() else None


class _Plain:
    """One that tells its length, and comes as it is."""

    __slots__ = ("_left", "_reader", "headers", "status")

    def __init__(self, reader: io.BufferedReader, status: int, headers: Mapping[str, str], length: int) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader
        self._left = length

    @property
    def is_spent(self) -> bool:
        return not self._left and "close" not in self.headers.get("connection", "").lower()

    def read1(self, amt: int, *, decode_content: bool = False) -> bytes:  # noqa: ARG002 - there is nothing to decode
        if not self._left:
            return b""
        try:
            piece = self._reader.read1(min(amt, self._left))
        except TimeoutError as error:
            raise LateError("no more of the answer came in time") from error
        except OSError as error:
            raise ProtocolError(f"Connection broken: {error!r}", error) from error
        if not piece:
            cut = IncompleteRead(b"", self._left)
            raise ProtocolError("the connection ended before the answer did", cut)
        self._left -= len(piece)
        return piece

    def read(self) -> bytes:
        return b"".join(iter(lambda: self.read1(self._left), b""))

    def close(self) -> None:
        self._reader.close()


class _Other:
    """As urllib3 reads it."""

    def __init__(self, reader: io.BufferedReader, method: str) -> None:
        self._raw = HTTPResponse(_Begun(reader), method=method)  # type: ignore[arg-type]  # it asks a socket for nothing else
        self._raw.begin()
        self._serves_on = not self._raw.will_close
        self._response = urllib3.HTTPResponse(
            self._raw,
            urllib3.HTTPHeaderDict(self._raw.msg.items()),
            self._raw.status,
            preload_content=False,
            original_response=self._raw,
            request_method=method,
        )
        self._ended = False

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def is_spent(self) -> bool:
        return self._serves_on and self._ended

    def read1(self, amt: int, *, decode_content: bool = True) -> bytes:
        piece = self._response.read1(amt, decode_content=decode_content)
        self._ended = not piece
        return piece

    def read(self) -> bytes:
        rest = self._response.read()
        self._ended = True
        return rest

    def close(self) -> None:
        self._response.close()


class _Begun:
    """What an answer of http.client takes for its connection: it is read from where its first bytes already are."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self._reader = reader

    def makefile(self, *_: Any) -> io.BufferedReader:  # noqa: ANN401 - http.client's own
        return self._reader
