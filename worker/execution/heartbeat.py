"""The worker's heartbeat thread, and whether the worker may start paid calls.

Liveness is one row per worker, not a lease per job: when the row goes stale, other workers take over all its jobs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.environment.service_manager import ALIVE, STOPPING, ServiceManager
from worker.store import workers
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.workers import Identity
from worker.telemetry.outage_log import OutageLog

BEAT_SECONDS: Final = 2.0
CHECK_BEATS: Final = 5
LOOK_BEATS: Final = 3
FRESH_SECONDS: Final = 5.0
"""Age of the last heartbeat after which no paid call starts; below the eight seconds after which jobs are rescued."""

log = structlog.get_logger("ttsq.worker")


@dataclass(slots=True)
class Heartbeat:
    """Registers the worker, sends heartbeats and signs off."""

    database: Database
    worker_id: UUID
    host: str
    pid: int
    queue: str
    slots: int
    problem: Callable[[], str | None]
    dropped_messages: Callable[[], int] = lambda: 0
    """Broker messages that this worker has dropped since its start."""
    before_beat: Callable[[], None] = lambda: None
    """Called before every heartbeat; must not block or raise."""
    periodic_check: Callable[[], None] = lambda: None
    """Called every `CHECK_BEATS` heartbeats; may raise SQLAlchemyError."""
    look_around: Callable[[], None] = lambda: None
    """Called every `LOOK_BEATS` heartbeats; may raise SQLAlchemyError."""
    identity: Identity | None = None
    clock: Callable[[], float] = time.monotonic
    alive_file: Path | None = None
    """Touched after every heartbeat, even a failed one: a database outage is no reason to kill this worker."""
    service_manager: ServiceManager = field(default_factory=lambda: ServiceManager(None))
    """Told with every heartbeat, as by the file, that this worker need not be restarted."""
    stalled: Callable[[], str | None] = lambda: None
    """Which thread of this process hangs; the file is not touched meanwhile."""
    stopping: bool = False
    alive_at: float = 0.0
    """When this process last proved by `clock` that none of its threads hangs."""
    _last_good: float = 0.0
    _database_time: datetime | None = None
    """The database's time at `_last_good`."""
    _last_problem: str | None = None
    _missed: OutageLog = field(default_factory=lambda: OutageLog(log, "heartbeat_failed"))
    _due: threading.Event = field(default_factory=threading.Event)
    """Requests an immediate heartbeat."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Register the worker and start the thread."""
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
                identity=self.identity,
            )
        self.look_around()
        self._last_good, self._database_time = self.clock(), now
        self.alive_at = self._last_good
        self._thread = threading.Thread(target=self._loop, name="ttsq-heartbeat", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="ttsq-heartbeat-watch", daemon=True).start()

    def run_once(self) -> None:
        """Send one heartbeat. Raises SQLAlchemyError."""
        problem = self.problem()
        if problem != self._last_problem:
            self._last_problem = problem
            log.warning("worker_unavailable", problem=problem) if problem else log.info("worker_unavailable_ended")
        began, dropped = self.clock(), self.dropped_messages()
        with self.database.at_once() as connection:
            now = workers.beat_now(
                connection, self.worker_id, problem=problem, stopping=self.stopping, dropped_messages=dropped
            )
        if now is None:
            now = self._return(problem, dropped)
        self._last_good, self._database_time = began, now

    def _return(self, problem: str | None, dropped: int) -> datetime:
        """Register again after other workers have given this one up."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            workers.beat(
                connection,
                self.worker_id,
                problem=problem,
                stopping=self.stopping,
                now=now,
                dropped_messages=dropped,
            )
        log.warning("worker_was_given_up", remedy="its jobs were rescued by other workers; it is registered again")
        return now

    def is_fresh(self) -> bool:
        """Whether this worker still counts as alive, so that it may start a paid call."""
        return self.clock() - self._last_good < FRESH_SECONDS

    @property
    def age(self) -> float:
        """Seconds since the last successful heartbeat."""
        return self.clock() - self._last_good

    @property
    def current_problem(self) -> str | None:
        """Why the worker cannot accept paid work, as of the last heartbeat."""
        return self._last_problem

    def now(self) -> datetime:
        """The database's time, extrapolated from the last heartbeat."""
        if self._database_time is None:
            return datetime.now(UTC)
        return self._database_time + timedelta(seconds=self.clock() - self._last_good)

    def nudge(self) -> None:
        self._due.set()

    def announce_stop(self) -> None:
        """Tell the dispatcher immediately that this worker takes no more jobs."""
        self.stopping = True
        self.service_manager.notify(STOPPING)
        if self._thread is None:
            return
        try:
            self.run_once()
        except SQLAlchemyError as error:
            self._missed.failing(describe(error))

    def stop(self, *, sign_off: bool) -> None:
        """Stop; with `sign_off` the row says that this worker has no jobs to rescue."""
        self._ended.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(5)
        if sign_off:
            with self.database.begin() as connection:
                # Same lock order as a leader that signs off dead workers, to avoid a deadlock.
                workers.release_leases(connection, self.worker_id)
                workers.sign_off(connection, self.worker_id, now=self.database.now(connection))

    def _watch(self) -> None:
        """Log an outage even while a heartbeat hangs in a database that doesn't answer."""
        while not self._ended.wait(FRESH_SECONDS):
            if not self.is_fresh():
                self._missed.failing(self._missed.message or "the database does not answer")

    def _loop(self) -> None:
        beats = 0
        while True:
            self._due.wait(BEAT_SECONDS)
            self._due.clear()
            if self._ended.is_set():
                return
            beats += 1
            self.before_beat()
            try:
                self.run_once()
                self._missed.recovered()
                if beats % LOOK_BEATS == 0:
                    self.look_around()
                if beats % CHECK_BEATS == 0:
                    self.periodic_check()
            except SQLAlchemyError as error:
                self._missed.failing(describe(error), still_fresh=self.is_fresh())
            except Exception:  # a worker without heartbeats loses its jobs
                log.exception("heartbeat_crashed")
            self.show_alive()

    def show_alive(self) -> None:
        """Tell systemd, and touch the file that health checks look at, unless a thread hangs."""
        if self.stalled() is not None:
            return
        self.alive_at = self.clock()
        self.service_manager.notify(ALIVE)
        if self.alive_file is not None:
            with suppress(OSError):
                self.alive_file.touch()
