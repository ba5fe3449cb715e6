"""What all servers share: a folder, a port, a process, and the life from start to stop."""

from __future__ import annotations

import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from tests.servers.errors import PortTakenError, ServerFailedError, ServerNotStartedError
from tests.servers.ports import free_port
from tests.servers.process import Account, Process

START_SECONDS: Final = 60.0
"""Bound for a server to be ready: many times what an idle machine needs, for one that is not."""

PORT_ATTEMPTS: Final = 8


class Server(ABC):
    """A server on 127.0.0.1 that lives no longer than this process. After `stop` it can be started anew, empty."""

    name: ClassVar[str]
    ready_line: ClassVar[str]
    """The log line that says the server listens; it also distinguishes it from a foreign server on the port."""

    def __init__(self, *, choose_port: Callable[[], int] = free_port) -> None:
        self._choose_port = choose_port
        self._folder: Path | None = None
        self._port: int | None = None
        self._process: Process | None = None

    @property
    def folder(self) -> Path:
        """Where it keeps its data and log."""
        if self._folder is None:
            raise ServerNotStartedError(self.name)
        return self._folder

    @property
    def port(self) -> int:
        """Its port; the same until `stop`."""
        if self._port is None:
            raise ServerNotStartedError(self.name)
        return self._port

    @property
    def process(self) -> Process:
        """Its process, or its last one after `kill`."""
        if self._process is None:
            raise ServerNotStartedError(self.name)
        return self._process

    @property
    def account(self) -> Account:
        """The user it runs as."""
        return Account.own()

    def start(self) -> None:
        """Start it, empty, on a port of its own; return once it answers.

        Raises:
            ServerFailedError: it did not start; the message has its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix=f"ttsq-{self.name}-", dir=self.home()))
        try:
            self.prepare()
            self._launch_on_a_free_port()
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """Kill it (SIGKILL) with all its children, as a crash would; its data stay."""
        self._leave(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again on the same port with the same data, after an orderly shutdown if it was not killed."""
        self._leave(signal.SIGINT)
        self._launch()

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay, new ones come about, and nothing is answered."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        self.process.signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove all that it kept."""
        if self._process is not None:
            self._process.end()
        if self._folder is not None:
            # The leash removed it already, unless the server was killed before.
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._port = self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def home(self) -> Path:
        """The folder in which its own folder is made."""
        return Path(tempfile.gettempdir())

    def prepare(self) -> None:  # noqa: B027 - most servers need no more than an empty folder
        """Fill the new folder with what the server expects there."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line; the program with its whole path."""

    @abstractmethod
    def greet(self) -> None:
        """One round trip with a real client."""

    def _launch_on_a_free_port(self) -> None:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = self._choose_port()
            try:
                self._launch()
            except PortTakenError:
                if attempt == PORT_ATTEMPTS:
                    raise
            else:
                return

    def _launch(self) -> None:
        self._process = Process(self.name, self.command(), self.folder, self.account)
        try:
            self._process.await_line(self.ready_line, START_SECONDS)
            self._greet()
        except BaseException:
            self._leave(signal.SIGKILL)
            raise

    def _greet(self) -> None:
        try:
            self.greet()
        except Exception as error:
            raise ServerFailedError(self.name, f"did not answer a client: {error}", self.process.log) from error

    def _leave(self, number: signal.Signals) -> None:
        if self.process.alive:
            self.process.signal(number)
        self.process.wait()
