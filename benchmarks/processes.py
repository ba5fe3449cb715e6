"""Processes that are measured: started, awaited, stopped, and what they used. Never leaves one behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02
LOG_TAIL_CHARACTERS: Final = 4_000


class ProcessFailedError(Exception):
    """A measured process left, or was not ready in time; the end of its log is in the message."""

    def __init__(self, name: str, reason: str, log: str) -> None:
        super().__init__(f"{name} {reason}; the end of its log:\n{log[-LOG_TAIL_CHARACTERS:]}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used from its start to its end, all its threads and the children it waited for included."""

    user_seconds: float
    system_seconds: float
    peak_mb: float
    switches: int
    """Context switches, voluntary and not."""

    @property
    def cpu_seconds(self) -> float:
        """User and system together."""
        return self.user_seconds + self.system_seconds


class Measured:
    """One process with its log in a file. A context manager: what is still there at the end is killed."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start `command` in `folder`, in a session of its own, with this environment and nothing else."""
        self.name = name
        self.started_at = time.perf_counter()
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=dict(environment), stdout=log, stderr=log, start_new_session=True
            )
        self.usage: Usage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.usage is None:
            # Its children with it, which are in its session: a pool that is killed leaves them behind.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._reap(STOP_SECONDS)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All it has written."""
        return self._log.read_text(errors="replace")

    def await_line(self, marker: str, seconds: float = READY_SECONDS, *, times: int = 1) -> float:
        """Wait until the log contains `marker` `times` times; return the seconds since the process started."""
        deadline = time.perf_counter() + seconds
        while self.log.count(marker) < times:
            if self._reap(0) is not None:
                raise ProcessFailedError(self.name, "left before it was ready", self.log)
            if time.perf_counter() > deadline:
                raise ProcessFailedError(self.name, f"did not say {marker!r} within {seconds:.0f} s", self.log)
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - self.started_at

    def stop(self) -> Usage:
        """Ask it to stop in good order, and wait for that."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = STOP_SECONDS) -> Usage:
        """What it used, once it has ended by itself and well."""
        usage = self._reap(seconds)
        if usage is None:
            raise ProcessFailedError(self.name, f"was still there after {seconds:.0f} s", self.log)
        if self._process.returncode != 0:
            raise ProcessFailedError(self.name, f"left with status {self._process.returncode}", self.log)
        return usage

    def _reap(self, seconds: float) -> Usage | None:
        """Return its usage if it exits within `seconds`. Only `wait4` reports the usage of a single child."""
        deadline = time.perf_counter() + seconds
        while self.usage is None:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self.usage = Usage(used.ru_utime, used.ru_stime, used.ru_maxrss / 1024, used.ru_nvcsw + used.ru_nivcsw)
            elif time.perf_counter() >= deadline:
                return None
            else:
                time.sleep(POLL_SECONDS)
        return self.usage
