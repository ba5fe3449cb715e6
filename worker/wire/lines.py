"""Requests over HTTP that hold no thread while they wait for their answer."""

from __future__ import annotations

import errno
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from types import TracebackType
from typing import Final

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, ProtocolError, SSLError

from worker.waiting.awaiting import until
from worker.waiting.switchboard import Switchboard
from worker.wire.answers import LateError, Response, read_answer
from worker.wire.connections import Connections
from worker.wire.requests import Body, head

_ANSWERED_EARLY: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})
"""What sending meets where the other end has closed already: its answer may be there all the same."""


class Exchange:
    """One request and its answer. Left, its connection serves the next one, if the answer was read to its end."""

    def __init__(self, connections: Connections, line: HTTPConnection, answer: Response) -> None:
        """The answer's head is there, its body yet to be read."""
        self._connections = connections
        self._line = line
        self._answer = answer

    def __enter__(self) -> Response:
        return self._answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_spent = self._answer.is_spent
        self._answer.close()
        if is_spent:
            self._connections.keep(self._line)
        else:
            self._line.close()


class Lines:
    """Connections to one origin. Safe to share between threads; raises urllib3's errors."""

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        connections: int,
        switchboard: Switchboard,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """So many idle `connections` are kept, and any number used. With `tls` it is https."""
        self._connections = Connections(host, port, most_idle=connections, tls=tls, socket_options=socket_options())
        self._switchboard = switchboard

    async def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        *,
        body: Body | None = None,
        connect_seconds: float,
        read_seconds: float,
        send_seconds: float | None = None,
    ) -> Exchange:
        """Send a request, and wait for the head of its answer. Sending has as long as connecting, or as it is told."""
        line = self._connections.take(connect_seconds)
        try:
            with _named():
                if line.is_closed:
                    await until(self._switchboard.elsewhere(line.connect))
                line.sock.settimeout(send_seconds or connect_seconds)
                _send(line, method, target, headers, body)
                reader = await self._answered(line.sock, read_seconds)
                line.sock.settimeout(read_seconds)
                try:
                    return Exchange(self._connections, line, read_answer(reader, method))
                except BaseException:
                    reader.close()  # or the socket would stay open for it
                    raise
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """Close what is idle, and make nothing new; what is still in use closes when it is done."""
        self._connections.close()

    async def _answered(self, way: socket.socket, seconds: float) -> io.BufferedReader:
        """Wait for the first of the answer, or the end. What reads it is made only then: it takes eight kilobytes."""
        until_when = time.monotonic() + seconds
        while await until(self._switchboard.readable(way.fileno(), max(0.0, until_when - time.monotonic()))):
            reader = way.makefile("rb")
            if not isinstance(way, ssl.SSLSocket) or _has_begun(way, reader):
                return reader
            reader.close()
        raise LateError(f"no answer within {seconds:g} s")


def socket_options() -> list[tuple[int, int, int | bytes]]:
    """Keep-alive probes: a router that forgot a quiet connection is found out in a minute, before the read timeout."""
    options: list[tuple[int, int, int | bytes]] = [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    named_seconds = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in named_seconds.items()
        if hasattr(socket, name)
    ]
    return options


@contextmanager
def _named() -> Iterator[None]:
    """Errors from below as urllib3 calls them."""
    try:
        yield
    except HTTPError:
        raise
    except TimeoutError as error:
        raise LateError(str(error)) from error
    except ssl.SSLError as error:
        raise SSLError(error) from error
    except (OSError, HTTPException) as error:
        raise ProtocolError("Connection aborted.", error) from error


def _send(line: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: Body | None) -> None:
    first = head(line, method, target, headers, body_bytes=None if body is None else len(body))
    try:
        if body is None:
            line.sock.sendall(first)
        else:
            body.leave(line.sock, first)
    except OSError as error:
        if error.errno not in _ANSWERED_EARLY:
            raise


def _has_begun(way: ssl.SSLSocket, reader: io.BufferedReader) -> bool:
    """Whether a readable TLS connection brings any of the answer: it may be the protocol's own talk alone."""
    way.settimeout(0)
    try:
        reader.peek(1)
    except ssl.SSLWantReadError:
        return False
    return True
