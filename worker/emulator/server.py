"""Runs an emulator in a thread or in the foreground. Owns the listening socket and the thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Self

import uvicorn

from worker.emulator.admin import Admin
from worker.emulator.api.delivery import connection
from worker.emulator.api.routes import application
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.errors import CannotListenError, NotRunningError
from worker.emulator.ledger import State
from worker.emulator.scenario_player import Timetable
from worker.emulator.vendor import Clock, Vendor
from worker.process.file_limits import raise_open_file_limit

BACKLOG: Final = 4_096
"""Connections that may wait for accept: a worker with thousands of slots opens them all at once."""
KEEP_ALIVE_SECONDS: Final = 120
"""Longer than any pause of a test, so that a client never meets a connection closed for idleness."""


class Emulator:
    """An emulator in a daemon thread. A context manager; `start` returns once it listens."""

    def __init__(self, config: EmulatorConfig | None = None, clock: Clock = time.time) -> None:
        """`clock` returns epoch seconds for the rate limit and the ledger; latencies always take real time."""
        self.config = config or EmulatorConfig()
        self._clock = clock
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._admin: Admin | None = None
        self._timetable: Timetable | None = None
        self._base_url = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen and serve. Raises CannotListenError: the address is in use or not local."""
        listener = _listen(self.config)
        self._base_url = _url(listener)
        self._admin = Admin(self._base_url)
        self._server = _Server(_config(self.config, self._clock))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="emulator", daemon=True
        )
        self._thread.start()
        self._timetable = Timetable(self.config, self._base_url)
        self._timetable.start()
        return self

    def stop(self) -> None:
        """Drop calls in flight and stop listening. Safe to call when not running."""
        if self._server is None or self._thread is None or self._admin is None:
            return
        if self._timetable is not None:
            self._timetable.stop()
        self._admin.close()
        self._server.stop()
        self._thread.join()
        self._server = self._thread = self._admin = None

    @property
    def base_url(self) -> str:
        """The value for `SEGMIND_BASE_URL`."""
        if self._server is None:
            raise NotRunningError
        return self._base_url

    @property
    def key(self) -> str:
        return self.config.key or DEFAULT_KEY

    @property
    def admin(self) -> Admin:
        if self._admin is None:
            raise NotRunningError
        return self._admin

    def state(self, *, detail: bool = True) -> State:
        return self.admin.state(detail=detail)


def serve(config: EmulatorConfig, on_ready: Callable[[str], None], clock: Clock = time.time) -> None:
    """Serve in the foreground until interrupted or terminated; `on_ready` receives the base URL.

    The changes of a `Scenario` are applied at their times. Raises CannotListenError: the address is in use or not
    local.
    """
    listener = _listen(config)
    raise_open_file_limit()
    server = uvicorn.Server(_config(config, clock))
    on_ready(_url(listener))
    timetable = Timetable(config, _url(listener))
    timetable.start()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after its own orderly stop
        server.run(sockets=[listener])
    timetable.stop()


class _Server(uvicorn.Server):
    """Stops at once; uvicorn's own loop reads its flag ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._wakeup = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._wakeup.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop everything: uvicorn's own shutdown first waits 0.1 s for calls in flight."""
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for client in list(self.server_state.connections):
            client.shutdown()
        calls = list(self.server_state.tasks)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def stop(self) -> None:
        """Safe from any thread, at any time."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wakeup.set)


def _config(config: EmulatorConfig, clock: Clock) -> uvicorn.Config:
    return uvicorn.Config(
        application(Vendor(config, clock)),
        http=connection,  # type: ignore[arg-type]  # uvicorn only calls it; a factory serves as well as a class
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # connections are cut on purpose
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # `Dated` adds it
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=0,
    )


def _listen(config: EmulatorConfig) -> socket.socket:
    """A listening socket: connections made before the server runs wait in its backlog."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listener = socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListenError(config.host, config.port, error.strerror or str(error)) from error
    # Accepted connections inherit it. Without it the body of a small answer waits 40 ms behind its own headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
