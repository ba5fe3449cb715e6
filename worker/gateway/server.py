"""The HTTP server: uvicorn with limits, in one process, shut down gracefully by SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from anyio import to_thread
from uvicorn.protocols.http.h11_impl import H11Protocol

from api_models.http_problems import Trouble
from worker.gateway.app import guarded
from worker.gateway.middleware.guard import HEADERS, MAX_HEADER_BYTES
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError

THREADS: Final = 16
"""Requests that use the database or the store at the same time; the others wait."""
MAX_CONNECTIONS: Final = 1_000
"""Further connections are answered with 503."""
SILENT_SECONDS: Final = 10.0
"""A connection is closed after this time without a complete request head."""
KEEP_ALIVE_SECONDS: Final = 30
END_SECONDS: Final = 10


class CannotListenError(Exception):
    """The address is in use, or not an address of this machine."""


class _Bounded(H11Protocol):
    """uvicorn's protocol with a timeout for silent clients, and problems for its own rejections."""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(ProblemError(Trouble.OVERLOADED, "Too many connections.", retry_after=1))
            return
        self.loop.call_later(SILENT_SECONDS, self._cut_if_silent)

    def _cut_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(ProblemError(Trouble.MALFORMED, msg))

    def _refuse(self, problem: ProblemError) -> None:
        answer = problem.response()
        self.transport.write(f"HTTP/1.1 {answer.status_code} {problem.title}\r\n".encode())
        given = [*answer.raw_headers, *HEADERS, (b"connection", b"close")]
        self.transport.write(b"".join(name + b": " + value + b"\r\n" for name, value in given) + b"\r\n")
        self.transport.write(bytes(answer.body))
        self.transport.close()


class Server(uvicorn.Server):
    """Serves one gateway. `serve` runs until it is stopped."""

    def __init__(self, gateway: Gateway, host: str, port: int) -> None:
        """Bind the address, so that errors surface before the server starts.

        Raises:
            CannotListenError: the address cannot be bound.
        """
        self.socket: Final = _bound(host, port)
        config = uvicorn.Config(
            guarded(gateway),
            http=_Bounded,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # forwarded headers are not used
            server_header=False,
            date_header=True,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=END_SECONDS,
            backlog=1024,
        )
        super().__init__(config)
        self._ready: Callable[[], None] = lambda: None

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def work(self, *, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until a signal arrives or `should_exit` is set. `ready` is called once it listens."""
        self._ready = ready
        asyncio.run(self.serve(sockets=[self.socket]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As in uvicorn, but without re-raising the signals: other parts of the process have yet to shut down."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As in uvicorn, then call `ready`."""
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        if self.started:
            self._ready()


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListenError(f"{host} is not an address of this machine: {error.strerror}") from None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(place)
    except OSError as error:
        sock.close()
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return sock
