"""The bytes that come in on a connection, each phase of an exchange within one deadline, however they drip."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from http.client import IncompleteRead
from typing import Final

from urllib3.exceptions import HTTPError, ProtocolError

HEAD_RECEIVE_BYTES: Final = 32 * 1024
"""Taken in one read until the body begins: the head, and of most answers the beginning of the body."""
LATE_READS: Final = 16
"""After the deadline, of what has arrived before: an answer that was paid for isn't lost to a busy machine."""


class LateError(HTTPError):
    """Something was sent, and no answer came in the time it had, or no more of it."""


class Source:
    """One answer's bytes. What it holds back is the next in order."""

    __slots__ = ("_at", "_buffer", "_due", "_late_reads", "_monotonic", "_seconds", "_sock")

    def __init__(self, sock: socket.socket, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._monotonic = monotonic
        self._buffer = b""
        self._at = 0
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Begin a new phase with a deadline of its own."""
        self._seconds = seconds
        self._due = self._monotonic() + seconds
        self._late_reads = 0

    @property
    def seconds_left(self) -> float:
        """Until the deadline; zero after it."""
        return max(0.0, self._due - self._monotonic())

    @property
    def has_more(self) -> bool:
        """Whether bytes are held back here, or decrypted and not read yet."""
        return self._at < len(self._buffer) or has_pending(self._sock)

    def late(self) -> LateError:
        """The error for a deadline that has passed."""
        return LateError(f"no answer within {self._seconds:g} s, or no more of it")

    def hold(self, data: bytes, start: int) -> None:
        """Return from `start` on what was read too early."""
        self._buffer, self._at = data, start

    def receive(self, limit_bytes: int) -> bytes:
        """Read from the connection at most that much; empty at its end.

        Raises:
            LateError: the deadline passed.
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
        """Read without waiting; else as `receive`.

        None where nothing came: a TLS connection that can be read may bring only its own protocol.
        """
        left = self._time()
        try:
            self._sock.settimeout(0)
            return self._sock.recv(limit_bytes)
        except (BlockingIOError, ssl.SSLWantReadError) as error:
            if not left:
                raise self.late() from error
            return None
        except OSError as error:
            raise ProtocolError(f"Connection broken: {error!r}", error) from error

    def _time(self) -> float:
        """Seconds for the next read. A process that was stopped over its deadline may read what has arrived."""
        left = self.seconds_left
        if not left:
            self._late_reads += 1
            if self._late_reads > LATE_READS:
                raise self.late()
        return left

    def take(self, limit_bytes: int) -> bytes:
        """The next bytes, at most that many; empty at the connection's end. Raises as `receive`."""
        at = self._at
        if at < len(self._buffer):
            piece = self._buffer[at : at + limit_bytes]
            self._at = at + len(piece)
            return piece
        return self.receive(limit_bytes)

    def line(self, limit_bytes: int) -> bytes:
        """The next line with its end. Raises as `receive`, and ProtocolError for one that is longer or cut off."""
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
    """Whether TLS has decrypted bytes that no poll of the connection shows."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
