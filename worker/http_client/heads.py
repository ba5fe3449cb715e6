"""Parses an answer's heads: skips interim ones and returns the final one.

httptools parses well-formed HTTP/1.1. Any other head is parsed leniently where it is unambiguous, because the
answer may
be paid for; its connection is then not reused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import BadStatusLine
from typing import Final

from httptools import HttpParserError, HttpResponseParser
from urllib3.exceptions import ProtocolError

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADS_BYTES: Final = 256 * 1024
"""Of all heads of one answer, which bounds the number of interim ones."""

_END: Final = b"\r\n\r\n"
_BEGINNING: Final = b"HTTP/1."
_LENIENT_END: Final = re.compile(rb"\r?\n\r?\n")
_LENIENT_STATUS: Final = re.compile(rb"HTTP/1\.\d[ \t]+(\d{3})(?:\s|$)")
_SHOWN_BYTES: Final = 60
_INTERIM: Final = range(100, 200)
_SWITCHING: Final = 101
"""Never requested: what follows isn't HTTP/1.1."""
_FINAL: Final = range(200, 600)


@dataclass(frozen=True, slots=True)
class Head:
    status: int
    headers: Mapping[str, str]
    """Lower-case names; repeated headers are joined by commas."""
    is_strict: bool
    """HTTP/1.1 to the letter, with no interim answer before it."""


class Heads:
    __slots__ = ("_data", "_had_interim", "_received")

    def __init__(self) -> None:
        self._data = b""
        self._received = 0
        self._had_interim = False

    def feed(self, piece: bytes) -> Head | None:
        """The final head, once it is complete. Raises ProtocolError: this is no answer to an HTTP/1.1 request, or its
        heads are too large.
        """
        self._data = self._data + piece if self._data else piece
        self._received += len(piece)
        while (found := _next_head(self._data)) is not None:
            head, end = found
            self._data = self._data[end:]
            if head.status not in _INTERIM or head.status == _SWITCHING:
                return self._final(head)
            _refuse_body(head)
            self._had_interim = True
        held = len(self._data)
        if held > MAX_HEAD_BYTES or self._received - held > MAX_HEADS_BYTES:
            raise ProtocolError("the answer's head is too large")
        return None

    @property
    def rest(self) -> bytes:
        return self._data

    def _final(self, head: Head) -> Head:
        if head.status not in _FINAL:
            raise ProtocolError("not an answer", BadStatusLine(f"status {head.status}"))
        return Head(head.status, head.headers, is_strict=False) if self._had_interim else head


class _Parsed:
    __slots__ = ("complete", "headers")

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # httptools accepts no blanks around a name.
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        self.complete = True


def _next_head(data: bytes) -> tuple[Head, int] | None:
    end = data.find(_END) + len(_END)
    if end >= len(_END) and end <= MAX_HEAD_BYTES and (head := _strict(data[:end])) is not None:
        return head, end
    return _lenient(data)


def _refuse_body(interim: Head) -> None:
    """Its body can't be distinguished from the next answer."""
    if "transfer-encoding" in interim.headers or interim.headers.get("content-length", "0") != "0":
        raise ProtocolError("not an answer", BadStatusLine("an interim answer with a body"))


def _strict(data: bytes) -> Head | None:
    parsed = _Parsed()
    parser = HttpResponseParser(parsed)
    try:
        parser.feed_data(data)
    except HttpParserError:
        return None
    is_strict = parsed.complete and data.startswith(_BEGINNING) and parser.get_http_version() == "1.1"
    return Head(parser.get_status_code(), parsed.headers, is_strict=True) if is_strict else None


def _lenient(data: bytes) -> tuple[Head, int] | None:
    """Accepts bare line feeds, folded lines and stray characters, as browsers do."""
    begun = data.lstrip(b"\r\n")
    if not begun.startswith(_BEGINNING[: len(begun)]):
        raise ProtocolError("not an answer", BadStatusLine(_shown(begun)))
    skipped = len(data) - len(begun)
    found = _LENIENT_END.search(begun, 0, MAX_HEAD_BYTES)
    if found is None:
        return None
    first, *lines = begun[: found.start()].replace(b"\r\n", b"\n").split(b"\n")
    status = _LENIENT_STATUS.match(first)
    if status is None:
        raise ProtocolError("not an answer", BadStatusLine(_shown(first)))
    return Head(int(status[1]), _fields(lines), is_strict=False), skipped + found.end()


def _fields(lines: list[bytes]) -> dict[str, str]:
    unfolded: list[bytes] = []
    for line in lines:
        if line[:1] in {b" ", b"\t"} and unfolded:
            unfolded[-1] += b" " + line.strip()
        else:
            unfolded.append(line)
    headers: dict[str, str] = {}
    for line in unfolded:
        name, colon, value = line.partition(b":")
        if colon:
            _add(headers, name, value)
    return headers


def _add(headers: dict[str, str], name: bytes, value: bytes) -> None:
    key, text = name.decode("latin-1").strip().lower(), value.decode("latin-1").strip()
    known = headers.get(key)
    headers[key] = text if known is None else f"{known}, {text}"


def _shown(data: bytes) -> str:
    return repr(data[:_SHOWN_BYTES].decode("latin-1"))
