"""One server process on its leash: started, signalled, waited for, with its log in a file.

The leash (`leash.py`) sits between this process and the server and ends the server when this process is gone, however
it went. It must never be waited for without a bound.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers import forked
from tests.servers.errors import PortTakenError, ServerFailedError

STOP_SECONDS: Final = 15.0
"""Bound for a server to leave; the leash itself loses patience long before."""

POLL_SECONDS: Final = 0.01
LOG_TAIL_CHARACTERS: Final = 8_000
PORT_TAKEN: Final = "ddress already in use"
LEASH: Final = Path(__file__).with_name("process_guard.py")


@dataclass(frozen=True, slots=True)
class Account:
    """The user a server runs as."""

    uid: int
    gid: int

    @classmethod
    def own(cls) -> Account:
        """The user of this process."""
        return cls(os.geteuid(), os.getegid())


class Process:
    """A server process, from its start until it and all its children are gone."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        account: Account,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` in `folder`, which is removed with it when it is ended by `end` or by our own death.

        `environment` comes on top of what every server gets.
        """
        self.name = name
        self._log = folder / "server.log"
        leash = [sys.executable, "-I", "-S", str(LEASH), str(folder), str(signal.SIGINT.value)]
        with self._log.open("wb") as log:
            self._leash = forked.start(
                [*leash, str(account.uid), str(account.gid), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env={**_environment(folder), **(environment or {})},
                bufsize=0,
                start_new_session=True,
            )
        assert self._leash.stdout is not None
        self.pid = int(self._leash.stdout.readline() or 0)

    @property
    def alive(self) -> bool:
        """Whether the server is still there."""
        return self._leash.poll() is None

    @property
    def log(self) -> str:
        """The last lines the server wrote."""
        return self.whole_log[-LOG_TAIL_CHARACTERS:]

    @property
    def whole_log(self) -> str:
        """Everything the server wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def await_line(self, marker: str, seconds: float) -> None:
        """Return once the log says `marker`.

        Raises:
            PortTakenError: it left because its port was taken.
            ServerFailedError: it left for another reason, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while marker not in self.log:
            if not self.alive:
                cls = PortTakenError if PORT_TAKEN in self.log else ServerFailedError
                raise cls(self.name, f"left with status {self._leash.returncode}", self.log)
            if time.monotonic() > deadline:
                raise ServerFailedError(self.name, f"was not ready after {seconds:.0f} s", self.log)
            time.sleep(POLL_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal. The leash delivers it, so it can't reach a stranger that got the same id."""
        assert self._leash.stdin is not None
        try:
            self._leash.stdin.write(bytes([number]))
        except BrokenPipeError:
            return

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit status, once the server and all its children are gone."""
        try:
            status = self._leash.wait(seconds)
        except subprocess.TimeoutExpired:
            # The kernel kills the server with its leash.
            self._leash.kill()
            self._leash.wait(seconds)
            raise ServerFailedError(self.name, f"was still there after {seconds:.0f} s", self.log) from None
        self._close()
        return status

    def end(self) -> None:
        """End the server and remove its folder."""
        self._close()
        self.wait()

    def _close(self) -> None:
        for pipe in (self._leash.stdin, self._leash.stdout):
            if pipe is not None:
                pipe.close()


def _environment(folder: Path) -> dict[str, str]:
    """What a server may know of the developer's environment: how to find libraries, nothing else."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "TZ": "UTC"}
