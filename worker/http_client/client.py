"""HTTP requests that hold no thread while they wait for the answer."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from types import TracebackType
from typing import Final

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, ProtocolError, SSLError

from worker.concurrency.futures import wait_for
from worker.concurrency.reactor import Reactor
from worker.http_client.heads import Heads
from worker.http_client.pool import Connections
from worker.http_client.proxies import Proxy
from worker.http_client.requests import Body, Outlet, head, host_header
from worker.http_client.responses import Response, answer_begun
from worker.http_client.source import HEAD_RECEIVE_BYTES, LateError, Source, has_pending

ANSWERED_EARLY: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})
"""Send errors after the peer has closed; its answer may still be readable."""
_PORT_OF_HTTP: Final = 80
_PORT_OF_HTTPS: Final = 443
FIRST_REFUSAL: Final = 300
"""A success status in answer to an incomplete request isn't believed."""


class Exchange:
    """One request and its answer. On exit the connection is reused if the answer was read to its end."""

    def __init__(
        self, connections: Connections, connection: HTTPConnection, answer: Response, *, sent_whole: bool
    ) -> None:
        self._connections = connections
        self._sent_whole = sent_whole
        self._connection = connection
        self._answer = answer

    def __enter__(self) -> Response:
        return self._answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sent_whole and self._answer.is_spent:
            self._connections.keep(self._connection)
        else:
            self._connection.close()


class HttpClient:
    """Connections to one origin. Thread-safe; raises urllib3's errors."""

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        connections: int,
        reactor: Reactor,
        tls: ssl.SSLContext | None = None,
        public_only: bool = False,
        proxy: Proxy | None = None,
    ) -> None:
        """`connections` bounds idle connections, not concurrent ones. `tls` selects https.

        `public_only` refuses to connect to an address outside the public internet.
        """
        self._connections = Connections(
            host,
            port,
            most_idle=connections,
            tls=tls,
            socket_options=socket_options(),
            public_only=public_only,
            proxy=proxy,
        )
        self._reactor = reactor
        self._host = host_header(host, port, _PORT_OF_HTTP if tls is None else _PORT_OF_HTTPS)
        # A plain request goes to the proxy itself, with the whole address as its target.
        forwards = proxy is not None and tls is None
        self._before_target = f"http://{self._host}" if forwards else ""
        self._proxy_headers = proxy.headers if proxy is not None and forwards else {}

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
        """Send a request and wait for the head of its answer.

        Each phase has one deadline, at any transfer rate: `connect_seconds` for connecting and again for sending
        (unless
        `send_seconds` is given), `read_seconds` for the final head and again for the body. Never retries.
        """
        connection = self._connections.take(connect_seconds)
        try:
            with _named():
                if connection.is_closed:
                    await wait_for(self._reactor.offload(connection.connect))
                sent = head(
                    method,
                    f"{self._before_target}{target}",
                    {**headers, **self._proxy_headers} if self._proxy_headers else headers,
                    host=self._host,
                    body_bytes=None if body is None else len(body),
                )
                whole = _send(connection, sent, body=body, seconds=send_seconds or connect_seconds)
                answer = await self._answered(connection.sock, method, read_seconds)
                if not whole and answer.status < FIRST_REFUSAL:
                    raise ProtocolError("the answer came before the request was sent whole")
                return Exchange(self._connections, connection, answer, sent_whole=whole)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close idle connections; those in use close when their exchange ends."""
        self._connections.close()

    async def _answered(self, sock: socket.socket, method: str, seconds: float) -> Response:
        """Wait for the final head without holding a thread."""
        source, heads = Source(sock, seconds), Heads()
        while True:
            if not has_pending(sock):
                await wait_for(self._reactor.readable(sock.fileno(), source.seconds_left))
            piece = source.receive_present(HEAD_RECEIVE_BYTES)
            answer = None if piece is None else answer_begun(heads, source, method, piece)
            if answer is not None:
                source.restart(seconds)
                return answer


def socket_options() -> list[tuple[int, int, int | bytes]]:
    """Keep-alive probes detect a dropped connection within a minute, before the read timeout."""
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
    """Translate lower-level errors to urllib3's."""
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


def _send(connection: HTTPConnection, first: bytes, *, body: Body | None, seconds: float) -> bool:
    """Return whether the system accepted all of it. A peer may close early and have sent its reason."""
    outlet = Outlet(connection.sock, seconds)
    try:
        if body is None:
            outlet.sendall(first)
        else:
            body.send(outlet, first)
    except OSError as error:
        if error.errno not in ANSWERED_EARLY:
            raise
        return False
    return True
