"""One answer whose head is read and whose body is not. Knows whether its connection can be reused, which requires that
no bytes of this or another answer are still due on it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http.client import RemoteDisconnected
from typing import Final

from urllib3.exceptions import ProtocolError

from worker.http_client.decoding import Readable, decoded
from worker.http_client.framing import body_of, tokens
from worker.http_client.heads import Head, Heads
from worker.http_client.source import HEAD_RECEIVE_BYTES, Source

_DRAIN_BYTES: Final = 64 * 1024


class Response:
    __slots__ = ("_body", "_is_reusable", "_readable", "_source", "headers", "status", "undecoded")

    def __init__(self, head: Head, method: str, source: Source) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        """By names in lower case; several of one name are joined by commas."""
        self._source = source
        self._body, codings = body_of(head, method, source)
        self._readable: Readable = self._body
        self.undecoded: str | None = None
        """The unsupported coding of a body that is returned raw."""
        if codings or "content-encoding" in head.headers:
            content_codings = tokens(head.headers.get("content-encoding", ""))
            self._readable, self.undecoded = decoded(self._body, content_codings + codings)
        closes = "connection" in head.headers and "close" in tokens(head.headers["connection"])
        self._is_reusable = head.is_strict and self._body.marks_its_end and not closes

    @property
    def is_spent(self) -> bool:
        """Whether it was read to its end, nothing follows it, and its connection can be reused."""
        return self._is_reusable and self._body.ended and not self._source.has_more

    def read1(self, limit_bytes: int) -> bytes:
        """At most that many bytes of the body, as soon as any are available; empty at the end. Raises LateError: the
        deadline passed; DecodeError: the body isn't in its declared coding; ProtocolError: the body is cut off or
        garbled, or the connection broke.
        """
        return self._readable.read1(limit_bytes)

    def read(self, limit_bytes: int = _DRAIN_BYTES) -> bytes:
        """The body, up to `limit_bytes`. Raises like `read1`."""
        body = b""
        while len(body) < limit_bytes and (piece := self.read1(limit_bytes - len(body))):
            body += piece
        return body


def read_answer(
    sock: socket.socket, method: str, *, head_seconds: float, body_seconds: float | None = None
) -> Response:
    """Wait on this thread for the head of an answer. The body has its own deadline, or shares the head's. Raises
    LateError: the deadline passed; ProtocolError: there is no valid answer.
    """
    source, heads = Source(sock, head_seconds), Heads()
    while (response := answer_begun(heads, source, method, source.receive(HEAD_RECEIVE_BYTES))) is None:
        pass
    if body_seconds is not None:
        source.restart(body_seconds)
    return response


def answer_begun(heads: Heads, source: Source, method: str, piece: bytes) -> Response | None:
    """The answer, once `piece` completes its head. Raises ProtocolError."""
    if not piece:
        raise ProtocolError("Connection aborted.", RemoteDisconnected("the connection ended without an answer"))
    head = heads.feed(piece)
    if head is None:
        return None
    source.hold(heads.rest, 0)
    return Response(head, method, source)
