"""Requests over HTTP that hold no thread while they wait for their answer.

The requests and answers are urllib3's; what is ours is that between the two nobody blocks.
"""

from __future__ import annotations

import errno
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from types import TracebackType
from typing import Any, Final

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, ProtocolError, SSLError

from worker.waiting.awaiting import until
from worker.waiting.connections import Connections
from worker.waiting.switchboard import Switchboard

_ANSWERED_EARLY: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})
"""What sending meets where the other end has closed already: its answer may be there all the same."""


class LateError(HTTPError):
    """Something was sent, and no answer came in the time it had."""


class Outgoing:
    """A request body that knows how much of it has left: the difference between "not billed" and "perhaps billed"."""

    __slots__ = ("_body", "begun", "sent")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.begun = False
        """The headers are out, the body is on its way."""
        self.sent = False
        """The operating system has taken all of it."""

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        yield self._body
        self.sent = True


class Exchange:
    """One request and its answer. Left, its connection serves the next one, if the answer was read to its end."""

    def __init__(self, connections: Connections, line: HTTPConnection, response: BaseHTTPResponse) -> None:
        """The answer's head is there, its body yet to be read."""
        self._connections = connections
        self._line = line
        self._response = response
        # As in urllib3's own pool: where the body breaks off, the connection is closed with it.
        response._connection = line  # type: ignore[attr-defined]  # noqa: SLF001 - (the reason is the line above)

    def __enter__(self) -> BaseHTTPResponse:
        return self._response

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        whole = self._response.closed and not self._line.is_closed
        self._response._connection = None  # type: ignore[attr-defined]  # noqa: SLF001 - or it would be closed in any case
        self._response.close()
        if whole:
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
        body: Outgoing | bytes | None = None,
        connect_seconds: float,
        read_seconds: float,
        send_seconds: float | None = None,
    ) -> Exchange:
        """Send a request, and wait for the head of its answer. Sending has as long as connecting, or as it is told."""
        line = self._connections.take(connect_seconds)
        try:
            with _named():
                await self._connect(line, send_seconds)
                _send(line, method, target, headers, body)
                if not await self._answered(line, read_seconds):
                    raise LateError(f"no answer within {read_seconds:g} s")
                line.timeout = read_seconds
                return Exchange(self._connections, line, line.getresponse())
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """Close what is idle, and make nothing new; what is still in use closes when it is done."""
        self._connections.close()

    async def _connect(self, line: HTTPConnection, send_seconds: float | None) -> None:
        if line.is_closed:
            await until(self._switchboard.elsewhere(line.connect))
        if send_seconds is not None:
            line.sock.settimeout(send_seconds)

    async def _answered(self, line: HTTPConnection, seconds: float) -> bool:
        """Wait for the first of the answer, or the connection's end; False where neither comes."""
        until_when = time.monotonic() + seconds
        reader = line.sock.makefile("rb") if isinstance(line.sock, ssl.SSLSocket) else None
        descriptor = line.sock.fileno()
        while await until(self._switchboard.readable(descriptor, max(0.0, until_when - time.monotonic()))):
            if reader is None:
                return True
            if _has_begun(line, reader):
                _read_on(line, reader)
                return True
        return False


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


def _send(
    line: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: Outgoing | bytes | None
) -> None:
    try:
        line.request(method, target, body=body, headers=headers, preload_content=False)
    except OSError as error:
        if error.errno not in _ANSWERED_EARLY:
            raise


def _has_begun(line: HTTPConnection, reader: io.BufferedReader) -> bool:
    """Whether a readable TLS connection brings any of the answer: it may be the protocol's own talk alone."""
    line.sock.settimeout(0)
    try:
        reader.peek(1)
    except ssl.SSLWantReadError:
        return False
    return True


def _read_on(line: HTTPConnection, reader: io.BufferedReader) -> None:
    """Have the answer read from where its first bytes already are."""

    class Begun:
        """What an answer takes for its connection."""

        def makefile(self, _mode: str) -> io.BufferedReader:
            return reader

    def response(_: object, *settings: Any, **named: Any) -> HTTPResponse:  # noqa: ANN401 - http.client's own
        del line.response_class
        return HTTPResponse(Begun(), *settings, **named)  # type: ignore[arg-type]  # it asks a socket for nothing else

    line.response_class = response  # type: ignore[assignment]
