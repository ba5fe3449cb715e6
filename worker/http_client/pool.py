"""Connections to one origin, kept for the next request. They are urllib3's; its pool does much more around each request
than ours need, and can't be left in the middle of one.
"""

from __future__ import annotations

import ssl
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

SocketOptions = Sequence[tuple[int, int, int | bytes]]


class Connections:
    """Any number at a time. Safe to share between threads; a connection has one user at a time."""

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        most_idle: int,
        tls: ssl.SSLContext | None = None,
        socket_options: SocketOptions = HTTPConnection.default_socket_options,
    ) -> None:
        """Nothing is connected yet. With `tls` it is https; one context for all, for each takes half a megabyte."""
        self._host, self._port = host, port
        self._tls = tls
        self._socket_options = socket_options
        self._idle: deque[HTTPConnection] = deque()
        weakref.finalize(self, _close_all, self._idle)  # where nobody comes to close them, as urllib3's own pool does
        self._most_idle = most_idle
        self._closed = False

    def take(self, connect_seconds: float) -> HTTPConnection:
        """The one used last, which the other end has the least reason to have given up; or a new one, not connected.

        Raises:
            HTTPError: they were closed.
        """
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._new(connect_seconds)
            if connection.is_connected:
                connection.timeout = connect_seconds
                return connection
            connection.close()

    def keep(self, connection: HTTPConnection) -> None:
        """For the next request: the answer to the last one was read to its end."""
        self._idle.append(connection)
        if len(self._idle) > self._most_idle:
            with suppress(IndexError):  # somebody else has just closed them all
                self._idle.popleft().close()

    def close(self) -> None:
        """Close what is idle, and make nothing new; what is still in use closes when it is done."""
        self._closed, self._most_idle = True, 0
        _close_all(self._idle)

    def _new(self, connect_seconds: float) -> HTTPConnection:
        if self._closed:
            raise HTTPError("the client is closed")
        options = list(self._socket_options)
        if self._tls is None:
            return HTTPConnection(self._host, self._port, timeout=connect_seconds, socket_options=options)
        return HTTPSConnection(
            self._host, self._port, timeout=connect_seconds, socket_options=options, ssl_context=self._tls
        )


def _close_all(idle: deque[HTTPConnection]) -> None:
    while idle:
        with suppress(IndexError):  # somebody else has taken the last
            idle.pop().close()


def tls_trusting(trusted: Path | None = None) -> ssl.SSLContext:
    """Servers are known by the authorities of the system, or by those in this file or folder."""
    context = create_urllib3_context()
    if trusted is None:
        context.load_default_certs()
    elif trusted.is_dir():
        context.load_verify_locations(capath=trusted)
    else:
        context.load_verify_locations(cafile=trusted)
    return context
