"""The HTTP server: uvicorn with limits, in one process, shut down gracefully by SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from anyio import to_thread

from worker.environment.service_manager import ALIVE, READY, STOPPING, ServiceManager
from worker.gateway.app import guarded
from worker.gateway.connections import BoundedProtocol
from worker.gateway.middleware.guard import MAX_HEADER_BYTES
from worker.gateway.parts import Gateway
from worker.process.memory import freeze_startup_objects

THREADS: Final = 16
"""Requests that use the database or the store at the same time; the others wait."""
KEEP_ALIVE_SECONDS: Final = 30
SWITCH_SECONDS: Final = 0.001
"""How long a thread that parses may keep the interpreter while the event loop wants it; Python's default is five times
as long, and a request wants it several times.
"""
ALIVE_SECONDS: Final = 5
"""Interval of the messages to systemd's watchdog."""
END_SECONDS: Final = 5
"""At a shutdown event streams and waits end at once; other requests have this long to finish."""


class CannotListenError(Exception):
    """The address is in use, or not an address of this machine."""


class Server(uvicorn.Server):
    """Serves one gateway. `serve` runs until it is stopped."""

    def __init__(self, gateway: Gateway, host: str, port: int, service_manager: ServiceManager | None = None) -> None:
        """Bind the address, so that errors surface before the server starts. Raises CannotListenError: the address
        cannot be bound.
        """
        self.socket: Final = _bound(host, port)
        config = uvicorn.Config(
            guarded(gateway),
            http=BoundedProtocol,
            loop="asyncio",
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
            callback_notify=self._show_alive,
            timeout_notify=ALIVE_SECONDS,
        )
        super().__init__(config)
        self._watch: Final = gateway.watch
        self._service_manager: Final = service_manager or ServiceManager(None)
        self._ready: Callable[[], None] = lambda: None

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def work(self, *, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until a signal arrives or `should_exit` is set. `ready` is called once it listens."""
        self._ready = ready
        asyncio.run(self.serve(sockets=[self.socket]))

    async def _show_alive(self) -> None:
        """Called by the event loop, so that a loop that is blocked shows nothing."""
        self._service_manager.notify(ALIVE)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As in uvicorn, but without re-raising the signals: other parts of the process have yet to shut down."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As in uvicorn, then call `ready`."""
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        sys.setswitchinterval(SWITCH_SECONDS)
        await super().startup(sockets)
        freeze_startup_objects()  # a collection amid a large upload would look at every module, and stop all threads
        if self.started:
            self._ready()
            self._service_manager.notify(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As in uvicorn, but streams and waits, which would last until the client leaves, are ended first."""
        self._service_manager.notify(STOPPING)
        self._watch.close()
        await super().shutdown(sockets)


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
