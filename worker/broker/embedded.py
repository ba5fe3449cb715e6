"""A worker inside this process, over Celery's in-memory transport; otherwise the same code as in production."""

from __future__ import annotations

import threading
from typing import Final
from uuid import UUID

from celery.worker import WorkController
from celery.worker import state as celery_state
from uuid_utils.compat import uuid7

from worker.broker import current
from worker.broker.app_factory import make_app
from worker.broker.messages import AttemptMessage
from worker.broker.publisher import Publisher
from worker.process import runtime
from worker.process.broker_status import BrokerStatus
from worker.process.factories import StartError
from worker.process.shutdown import LAST_SECONDS
from worker.settings import Settings
from worker.store.database import Database

READY_SECONDS: Final = 15.0
END_SECONDS: Final = 5.0


class EmbeddedWorker:
    """Starts a Celery worker in a thread. At most one per process."""

    def __init__(self, settings: Settings, database: Database, *, origin: str | None = None) -> None:
        """`origin` replaces the API's address in a rehearsal."""
        self._origin = origin
        self._settings = settings
        self._database = database
        self._parts: runtime.Runtime | None = None
        self._controller: WorkController | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Check that the worker could work, then start it. Raises StartError: the key, the spool, the schema or the
        store is unusable; nothing was charged.
        """
        worker_id = uuid7()
        queue = runtime.private_queue(worker_id)
        app = make_app(self._settings, queue)
        app.set_default()  # pool threads use the default application
        broker = BrokerStatus()
        self._parts = runtime.build(
            self._settings,
            self._database,
            Publisher(app, queue, broker),
            broker=broker,
            worker_id=worker_id,
            origin=self._origin,
        )
        current.set_runtime(self._parts)
        ready = threading.Event()
        celery_state.should_stop = None
        self._controller = WorkController(
            app=app,
            hostname=f"ttsq@{worker_id}",
            pool_cls="threads",
            concurrency=self._settings.concurrency,
            ready_callback=lambda _consumer: ready.set(),
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._controller.start, name="ttsq-celery", daemon=True)
        self._thread.start()
        if not ready.wait(READY_SECONDS):
            raise StartError("the embedded worker did not start", "see the log and report it")
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
        self._end_celery()
        self._parts.dismiss()

    def kill(self) -> None:
        """Release everything and sign off at once; the next worker looks for the released jobs' audio before paying."""
        if self._parts is not None:
            last = threading.Thread(target=self._parts.abort, name="ttsq-shutdown-forced", daemon=True)
            last.start()
            last.join(LAST_SECONDS)

    def _end_celery(self) -> None:
        """Celery checks its stop flag after a message and then waits for another, so send two."""
        setattr(celery_state, "should_stop", 0)  # noqa: B010 - its stubs know only None
        if self._controller is None or self._thread is None or self._parts is None:
            return
        no_job = AttemptMessage(self._parts.worker_id, 0).encode()
        for _ in range(2):
            self._controller.app.send_task(AttemptMessage.task, args=no_job, queue=self._parts.queue)
        self._thread.join(END_SECONDS)
        celery_state.should_stop = None
