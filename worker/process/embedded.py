"""A worker inside this process, which hands itself its messages; otherwise the same parts as in production."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from worker.process import runtime
from worker.process.broker_status import BrokerStatus
from worker.process.memory import freeze_startup_objects
from worker.process.runtime import Runtime
from worker.process.shutdown import LAST_SECONDS
from worker.settings import Settings
from worker.store.database import Database
from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey
from worker.store.transitions.dispatches import Waiting


class LocalMessages:
    """Messages that need no broker, because their receiver is this process. Thread-safe.

    Like a broker, it delivers no more attempts at once than the worker has slots.
    """

    def __init__(self, slots: int) -> None:
        self.runtime: Runtime
        self._free = slots
        self._waiting: deque[Waiting] = deque()
        self._lock = threading.Lock()

    def jobs(self, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        with self._lock:
            self._waiting.extend(jobs)
        while self._begin_next():
            pass
        return ()

    def deliveries(self, due: Sequence[Due]) -> Sequence[Due]:
        for one in due:
            self.runtime.deliveries.add(one)
        return ()

    def batches(self, batches: Sequence[UUID]) -> None:
        for batch_id in batches:
            self.runtime.batches.add(batch_id)

    def runs(self, runs: Sequence[RunKey]) -> None:
        for run in runs:
            self.runtime.schedule_runs.add(run)

    def _begin_next(self) -> bool:
        """Begin the attempt that waits longest; return False if none waits or no slot is free."""
        with self._lock:
            if not (self._waiting and self._free):
                return False
            job = self._waiting.popleft()
            self._free -= 1
        self.runtime.executor.begin(job.job_id, job.attempt, self._ended)
        return True

    def _ended(self) -> None:
        with self._lock:
            self._free += 1
        self._begin_next()


class EmbeddedWorker:
    """At most one per process."""

    def __init__(self, settings: Settings, database: Database, *, origin: str | None = None) -> None:
        """`origin` replaces the API's address in a rehearsal."""
        self._origin = origin
        self._settings = settings
        self._database = database
        self._parts: Runtime | None = None

    def start(self) -> None:
        """Check that the worker could work, then start it. Raises StartError: the key, the spool, the schema or the
        store is unusable; nothing was charged.
        """
        messages = LocalMessages(self._settings.concurrency)
        messages.runtime = self._parts = runtime.build(
            self._settings,
            self._database,
            messages,
            broker=BrokerStatus(),
            worker_id=uuid7(),
            origin=self._origin,
        )
        freeze_startup_objects()
        self._parts.start()

    def wake(self) -> None:
        if self._parts is not None:
            self._parts.dispatcher.arrived()

    def finish(self, batch_id: UUID) -> str | None:
        """Write the result files of a finished batch. Return the error message, or None."""
        return None if self._parts is None else self._parts.finisher.finish(batch_id)

    def stop(self, *, grace_seconds: float) -> None:
        """Start nothing more, let calls in flight finish for up to `grace_seconds`, release the rest, sign off."""
        if self._parts is None:
            return
        self._parts.begin_stop()
        self._parts.wait_until_idle(grace_seconds)
        self._parts.finish_stop()
        self._parts.dismiss()

    def kill(self) -> None:
        """Release everything and sign off at once; the next worker looks for the released jobs' audio before paying."""
        if self._parts is not None:
            last = threading.Thread(target=self._parts.abort, name="ttsq-shutdown-forced", daemon=True)
            last.start()
            last.join(LAST_SECONDS)
