"""Runs an emulator: in a thread of this process, or in the foreground. Owns the listening socket and its thread."""

from __future__ import annotations

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
"""Connections that may wait to be accepted, as a worker with thousands of slots opens them at once."""
KEEP_ALIVE_SECONDS: Final = 120
"""Idle connections outlive any pause of a test: a client must not meet a closed one by chance."""


class Emulator:
    """An emulator in a daemon thread of this process. A context manager; `start` returns when it listens."""

    def __init__(self, config: EmulatorConfig | None = None, clock: Clock = time.time) -> None:
        """`clock` gives epoch seconds for the rate limit and the ledger; latencies always take real time."""
        self.config = config or EmulatorConfig()
        self._clock = clock
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._admin: Admin | None = None
        self._timetable: Timetable | None = None
        self._base_url = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listens and serves.

        Raises:
            CannotListenError: the address is taken or isn't this machine's.
        """
        listener = _listen(self.config)
        self._base_url = _url(listener)
        self._admin = Admin(self._base_url)
        self._server = _server(self.config, self._clock)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="emulator", daemon=True
        )
        self._thread.start()
        self._timetable = Timetable(self.config, self._base_url)
        self._timetable.start()
        return self

    def stop(self) -> None:
        """Drops calls in flight and stops listening. Does nothing where it isn't running."""
        if self._server is None or self._thread is None or self._admin is None:
            return
        if self._timetable is not None:
            self._timetable.stop()
        self._admin.close()
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = self._admin = None

    @property
    def base_url(self) -> str:
        """What `SEGMIND_BASE_URL` is set to for it."""
        if self._server is None:
            raise NotRunningError
        return self._base_url

    @property
    def key(self) -> str:
        """A key it takes."""
        return self.config.key or DEFAULT_KEY

    @property
    def admin(self) -> Admin:
        """Changes its behaviour."""
        if self._admin is None:
            raise NotRunningError
        return self._admin

    def state(self, *, detail: bool = True) -> State:
        """What it has seen and billed so far."""
        return self.admin.state(detail=detail)


def serve(config: EmulatorConfig, on_ready: Callable[[str], None], clock: Clock = time.time) -> None:
    """Serves in the foreground until interrupted or terminated; `on_ready` gets the base URL once calls are taken.

    The changes of a `Scenario` happen in their time.

    Raises:
        CannotListenError: the address is taken or isn't this machine's.
    """
    listener = _listen(config)
    raise_open_file_limit()
    server = _server(config, clock)
    on_ready(_url(listener))
    timetable = Timetable(config, _url(listener))
    timetable.start()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after its own orderly stop
        server.run(sockets=[listener])
    timetable.stop()


def _server(config: EmulatorConfig, clock: Clock) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(Vendor(config, clock)),
            http=connection,  # type: ignore[arg-type]  # uvicorn only calls it; a factory serves as well as a class
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # a connection cut on purpose is no error to report
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,  # `Dated` adds it
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=0,
        )
    )


def _listen(config: EmulatorConfig) -> socket.socket:
    """A socket that accepts from now on: calls that come before the server runs wait in its backlog."""
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
