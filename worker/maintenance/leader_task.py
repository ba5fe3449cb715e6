"""A periodic task that one process of the installation runs at a time, in its own thread.

Every worker process has it. Where the dispatcher leads, the task runs repeatedly; elsewhere it waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.store.errors import describe
from worker.telemetry.outage_log import OutageLog

log = structlog.get_logger("ttsq.worker")


BURST_SECONDS: Final = 0.02
"""Pause after being woken: what happens together is handled together."""
IDLE_SECONDS: Final = 60.0
"""Between two runs while nothing is pending and nothing wakes the task."""
LINGER_SECONDS: Final = 1.0
"""How long a task that was woken polls as if something were pending: a notification may be ahead of other commits."""


def _nothing() -> None:
    pass


@dataclass(slots=True)
class LeaderTask:
    """Runs `run_once` in a thread, between `start` and `stop`."""

    name: str
    poll_seconds: float
    run_once: Callable[[], bool]
    """Returns whether there may be more to do at once."""
    leads: Callable[[], bool]
    on_follower: Callable[[], object] = _nothing
    """Called instead while another process leads."""
    burst_seconds: float = BURST_SECONDS
    is_pending: Callable[[], bool] = lambda: True
    """Whether there may be something to do now or soon. Otherwise the task sleeps until it is woken."""
    _linger_until: float = 0.0
    _outage: OutageLog = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _woken: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._outage = OutageLog(log.bind(task=self.name), "database_unavailable")

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name=f"ttsq-{self.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Run soon instead of at the next poll. Thread-safe."""
        self._woken.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Start no further run, and wait up to `timeout` seconds for the current one."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._is_stopping_after_wait():
            try:
                if not self.leads():
                    self.on_follower()
                while self.leads() and not self._stopping.is_set() and self.run_once():
                    pass
                self._outage.recovered()
            except SQLAlchemyError as error:
                self._outage.failing(describe(error))
            except Exception:
                # Without its thread the task would stop unnoticed, so the thread must survive any error.
                log.exception("leader_task_crashed", task=self.name)

    def _is_stopping_after_wait(self) -> bool:
        if self._woken.wait(self._pause_seconds()):
            self._linger_until = time.monotonic() + LINGER_SECONDS
            if self._stopping.wait(self.burst_seconds):
                return True
        self._woken.clear()
        return self._stopping.is_set()

    def _pause_seconds(self) -> float:
        is_idle = not self.is_pending() and time.monotonic() > self._linger_until
        return max(self.poll_seconds, IDLE_SECONDS) if is_idle else self.poll_seconds
