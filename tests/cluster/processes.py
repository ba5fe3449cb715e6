"""The processes of a cluster: the emulator and the workers, all of which die with this process."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.cluster import emulating
from tests.servers.process import Account, Process
from worker.emulator.admin import Admin
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.ledger import State
from worker.execution.restore_sign import NAME as SEEN_FILE
from worker.execution.spool_folders import LOCK

START_SECONDS: Final = 60.0
END_SECONDS: Final = 60.0
LISTENING: Final = "Gateway listening at "
PROBE_FILE: Final = "writable.part"
NO_PROXY: Final = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


class EmulatorProcess:
    """An emulator in a separate process."""

    def __init__(self, config: EmulatorConfig, home: Path) -> None:
        """Start it; returns once it listens."""
        command = [sys.executable, "-P", str(Path(emulating.__file__)), config.model_dump_json()]
        self._process = Process(
            "emulator", command, Path(tempfile.mkdtemp(prefix="emulator-", dir=home)), Account.own()
        )
        self._process.await_line(emulating.READY, START_SECONDS)
        line = next(line for line in self._process.log.splitlines() if line.startswith(emulating.READY))
        self.key: Final = config.key or DEFAULT_KEY
        self.base_url: Final = line.removeprefix(emulating.READY)
        self.admin: Final = Admin(self.base_url)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def state(self) -> State:
        """What it has seen and billed so far."""
        return self.admin.state()

    def stop(self) -> None:
        """End it."""
        self.admin.close()
        self._process.end()


class GatewayProcess:
    """`ttsq serve` on a free port, with its own folder for log and home."""

    def __init__(self, environment: Mapping[str, str], home: Path) -> None:
        """Start it; returns once it listens."""
        self.folder: Final = Path(tempfile.mkdtemp(prefix="gateway-", dir=home))
        command = [sys.executable, "-m", "worker.cli", "serve", "--port", "0"]
        self._process = Process("gateway", command, self.folder, Account.own(), {**NO_PROXY, **environment})
        self._process.await_line(LISTENING, START_SECONDS)
        line = next(line for line in self._process.log.splitlines() if LISTENING in line)
        self.address: Final = line.partition(LISTENING)[2].split()[0]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> None:
        """End it in good order."""
        self._process.end()


class WorkerProcess:
    """One `celery -A worker.app worker`, with its own folder for spool and log."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        home: Path,
        *,
        through: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        """Start the process; `await_ready` waits until it is up. `through`: a command that runs it in another place.
        `options` are Celery's.
        """
        self.name: Final = name
        self.folder: Final = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home))
        self.spool: Final = Path(environment.get("TTSQ_SPOOL_DIR", self.folder / "spool"))
        command = [*through, sys.executable, "-m", "celery", "-A", "worker.app", "worker", *options]
        self._process: Final = Process(
            name, command, self.folder, Account.own(), {**NO_PROXY, "TTSQ_SPOOL_DIR": str(self.spool), **environment}
        )

    @property
    def pid(self) -> int:
        """Its process id, which is also in its row."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return self._process.alive

    @property
    def log(self) -> str:
        """Everything it wrote."""
        return self._process.whole_log

    def await_ready(self) -> None:
        """Return once it has signed on."""
        self._process.await_line("worker_started", START_SECONDS)

    def spooled(self) -> list[str]:
        """The files of answers in its spool: not the write probe, spare files or the note of the database's time."""
        names = (path.name for path in self.spool.rglob("*") if path.is_file())
        ours = (PROBE_FILE, LOCK, "spare-", SEEN_FILE)
        return sorted(name for name in names if not name.startswith(ours))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.signal(number)

    def wait(self, seconds: float = END_SECONDS) -> int:
        """Its exit status, once it has left; 128 and the signal's number where a signal ended it."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it at once, whatever it is doing."""
        if self._process.alive:
            self.send(signal.SIGKILL)
        self._process.end()
