"""Reads from a connection; each phase of an exchange has one deadline, at any transfer rate."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from http.client import IncompleteRead
from typing import Final

from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util.ssltransport import SSLTransport

HEAD_RECEIVE_BYTES: Final = 32 * 1024
"""Per read until the body begins."""
LATE_READS: Final = 16
"""Reads allowed after the deadline, for bytes that arrived before it: a busy machine must not lose a paid answer."""


class LateError(HTTPError):
    """The request was sent, and the answer or its remainder timed out."""


class Source:
    """One answer's bytes, with a buffer for those read early."""

    __slots__ = ("_at", "_buffer", "_due", "_late_reads", "_monotonic", "_seconds", "_sock")

    def __init__(self, sock: socket.socket, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._monotonic = monotonic
        self._buffer = b""
        self._at = 0
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        self._seconds = seconds
        self._due = self._monotonic() + seconds
        self._late_reads = 0

    @property
    def seconds_left(self) -> float:
        """Until the deadline; zero after it."""
        return max(0.0, self._due - self._monotonic())

    @property
    def has_more(self) -> bool:
        """Whether bytes are buffered here or in TLS."""
        return self._at < len(self._buffer) or has_pending(self._sock)

    def late(self) -> LateError:
        return LateError(f"no answer within {self._seconds:g} s, or no more of it")

    def hold(self, data: bytes, start: int) -> None:
        """Return `data` from `start` on before reading more."""
        self._buffer, self._at = data, start

    def receive(self, limit_bytes: int) -> bytes:
        """Read at most `limit_bytes`; empty at the connection's end. Raises LateError: the deadline passed;
        ProtocolError: the connection broke.
        """
        try:
            self._sock.settimeout(self._time())
            return self._sock.recv(limit_bytes)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError) as error:
            raise self.late() from error
        except OSError as error:
            raise ProtocolError(f"Connection broken: {error!r}", error) from error

    def receive_present(self, limit_bytes: int) -> bytes | None:
        """Like `receive`, but without waiting.

        Returns None if nothing was available: TLS records may carry no data.
        """
        remaining = self._time()
        try:
            self._sock.settimeout(0)
            return self._sock.recv(limit_bytes)
        except (BlockingIOError, ssl.SSLWantReadError) as error:
            if not remaining:
                raise self.late() from error
            return None
        except OSError as error:
            raise ProtocolError(f"Connection broken: {error!r}", error) from error

    def _time(self) -> float:
        """Seconds for the next read. A process that was suspended past its deadline may read what has arrived."""
        remaining = self.seconds_left
        if not remaining:
            self._late_reads += 1
            if self._late_reads > LATE_READS:
                raise self.late()
        return remaining

    def take(self, limit_bytes: int) -> bytes:
        """At most `limit_bytes`; empty at the connection's end. Raises like `receive`."""
        at = self._at
        if at < len(self._buffer):
            piece = self._buffer[at : at + limit_bytes]
            self._at = at + len(piece)
            return piece
        return self.receive(limit_bytes)

    def line(self, limit_bytes: int) -> bytes:
        """The next line with its end. Raises like `receive`, and ProtocolError if it is too long or cut off."""
        while (end := self._buffer.find(b"\n", self._at)) < 0 and len(self._buffer) - self._at <= limit_bytes:
            piece = self.receive(HEAD_RECEIVE_BYTES)
            if not piece:
                raise ProtocolError("the connection ended within a line", IncompleteRead(b""))
            self._buffer, self._at = self._buffer[self._at :] + piece, 0
        if not 0 <= end - self._at <= limit_bytes:
            raise ProtocolError(f"a line of over {limit_bytes:,} bytes in the answer's framing")
        line = self._buffer[self._at : end + 1]
        self._at = end + 1
        return line


def has_pending(sock: socket.socket) -> bool:
    """Whether TLS has bytes that a poll of the socket doesn't show."""
    if isinstance(sock, SSLTransport):  # TLS inside a proxy's TLS
        return bool(sock.sslobj.pending() or sock.incoming.pending or has_pending(sock.socket))
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
