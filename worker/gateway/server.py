"""The gateway as a server: uvicorn with bounds, one process, ended in good order by SIGTERM or Ctrl-C."""

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
"""Requests that ask the database or the store at the same time; the others wait for one of these."""
MAX_CONNECTIONS: Final = 1_000
"""More are answered 503 at once."""
SILENT_SECONDS: Final = 10.0
"""A connection on which no whole request head has come for so long is closed."""
KEEP_ALIVE_SECONDS: Final = 30
END_SECONDS: Final = 10


class CannotListenError(Exception):
    """The address is taken, or not this machine's."""


class _Bounded(H11Protocol):
    """uvicorn's own protocol, with an end to a client's silence, and problems for what it refuses by itself."""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - the signature is uvicorn's
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(ProblemError(Trouble.OVERLOADED, "There are too many connections.", retry_after=1))
            return
        self.loop.call_later(SILENT_SECONDS, self._cut_if_silent)

    def _cut_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn says of a request that it can't read."""
        self._refuse(ProblemError(Trouble.MALFORMED, msg))

    def _refuse(self, problem: ProblemError) -> None:
        answer = problem.response()
        self.transport.write(f"HTTP/1.1 {answer.status_code} {problem.title}\r\n".encode())
        given = [*answer.raw_headers, *HEADERS, (b"connection", b"close")]
        self.transport.write(b"".join(name + b": " + value + b"\r\n" for name, value in given) + b"\r\n")
        self.transport.write(bytes(answer.body))
        self.transport.close()


class Server(uvicorn.Server):
    """Serves one gateway. `serve` runs until it is told to stop."""

    def __init__(self, gateway: Gateway, host: str, port: int) -> None:
        """Takes the address, so that a fault is told before anything is promised.

        Raises:
            CannotListenError: it can't be had.
        """
        self.socket: Final = _bound(host, port)
        config = uvicorn.Config(
            guarded(gateway),
            http=_Bounded,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # nothing here goes by where a request says it came from
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
        """Where it listens."""
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def work(self, *, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until a signal, or until `should_exit` is set. `ready` is called once it listens."""
        self._ready = ready
        asyncio.run(self.serve(sockets=[self.socket]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without raising the signals once more afterwards: what runs beside us is yet to be ended."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and then say so."""
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        if self.started:
            self._ready()


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListenError(f"{host} is no address of this machine: {error.strerror}") from None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(place)
    except OSError as error:
        sock.close()
        raise CannotListenError(f"can't listen on {host}:{port}: {error.strerror}") from None
    return sock
