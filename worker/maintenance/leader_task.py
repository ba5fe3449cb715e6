"""A duty of the whole installation, done by one process at a time and by a thread of its own.

It is there in every worker process. Where the dispatcher leads it looks again and again; elsewhere it waits to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.store.errors import describe
from worker.telemetry.outage_log import OutageLog

log = structlog.get_logger("ttsq.worker")


def _nothing() -> None:
    """What is done where somebody else leads, unless a duty has something to forget."""


@dataclass(slots=True)
class LeaderTask:
    """`start` and `stop` drive the thread."""

    name: str
    poll_seconds: float
    run_once: Callable[[], bool]
    """Done when it is time. Whether there may be more to do at once."""
    leads: Callable[[], bool]
    on_follower: Callable[[], object] = _nothing
    """Done instead, where somebody else leads."""
    _trouble: OutageLog = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._trouble = OutageLog(log.bind(duty=self.name), "database_trouble")

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._loop, name=f"ttsq-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Begin no other look, and wait so many seconds for the one under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.wait(self.poll_seconds):
            try:
                if not self.leads():
                    self.on_follower()
                while self.leads() and not self._stopping.is_set() and self.run_once():
                    pass
                self._trouble.recovered()
            except SQLAlchemyError as error:
                self._trouble.failing(describe(error))
            except Exception:
                # Without its thread a duty is done by nobody, and nobody would know: it must outlive any surprise.
                log.exception("duty_surprised", duty=self.name)
