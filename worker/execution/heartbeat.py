"""A worker's sign of life, from a thread of its own, and the question whether it may still start paid calls.

Liveness is one row a worker, not a lease a job: when the row falls silent, all its jobs go on elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.store import workers
from worker.store.database import Database

BEAT_SECONDS: Final = 2.0
LOOK_BEATS: Final = 5
FRESH_SECONDS: Final = 5.0
"""Own silence after which no paid call is started. Below the eight seconds after which others take the jobs over."""

log = structlog.get_logger("ttsq.worker")


@dataclass(slots=True)
class Heartbeat:
    """Registers the worker, beats, and signs off."""

    database: Database
    worker_id: UUID
    host: str
    pid: int
    queue: str
    slots: int
    trouble: Callable[[], str | None]
    look_around: Callable[[], None] = lambda: None
    """Called after every few beats, with the same right to raise SQLAlchemyError as a beat."""
    clock: Callable[[], float] = time.monotonic
    stopping: bool = False
    _last_good: float = 0.0
    _database_time: datetime | None = None
    """What the database's clock said at `_last_good`."""
    _last_trouble: str | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Register, and begin to beat."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            workers.register(
                connection,
                worker_id=self.worker_id,
                host=self.host,
                pid=self.pid,
                queue=self.queue,
                slots=self.slots,
                now=now,
            )
        self._last_good, self._database_time = self.clock(), now
        self._thread = threading.Thread(target=self._loop, name="ttsq-heartbeat", daemon=True)
        self._thread.start()

    def run_once(self) -> None:
        """One beat. Raises SQLAlchemyError when the database can't be reached."""
        trouble = self.trouble()
        if trouble != self._last_trouble:
            self._last_trouble = trouble
            log.warning("worker_trouble", trouble=trouble) if trouble else log.info("worker_trouble_over")
        began = self.clock()
        with self.database.begin() as connection:
            now = self.database.now(connection)
            kept = workers.beat(connection, self.worker_id, trouble=trouble, stopping=self.stopping, now=now)
        self._last_good, self._database_time = began, now
        if not kept:
            log.warning("worker_was_given_up", remedy="its jobs went on elsewhere; it is taken back in")

    def is_fresh(self) -> bool:
        """Whether others still know this worker to be alive, so that it may start a call that costs."""
        return self.clock() - self._last_good < FRESH_SECONDS

    def now(self) -> datetime:
        """The time by the database's clock, carried on from the last beat without asking again."""
        if self._database_time is None:
            return datetime.now(UTC)
        return self._database_time + timedelta(seconds=self.clock() - self._last_good)

    def announce_stop(self) -> None:
        """Tell the dispatcher at once that this worker takes no more jobs."""
        self.stopping = True
        try:
            self.run_once()
        except SQLAlchemyError as error:
            log.warning("heartbeat_failed", error=str(error).splitlines()[0])

    def stop(self, *, sign_off: bool) -> None:
        """End beating; with `sign_off` the row says that nothing of this worker is left to rescue."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(5)
        if sign_off:
            with self.database.begin() as connection:
                workers.sign_off(connection, self.worker_id, now=self.database.now(connection))
                workers.release_leases(connection, self.worker_id)

    def _loop(self) -> None:
        beats = 0
        while not self._ended.wait(BEAT_SECONDS):
            beats += 1
            try:
                self.run_once()
                if beats % LOOK_BEATS == 0:
                    self.look_around()
            except SQLAlchemyError as error:
                log.warning("heartbeat_failed", error=str(error).splitlines()[0])
            except Exception:  # as in the dispatcher: a worker whose heart has stopped loses its jobs
                log.exception("heartbeat_surprised")
