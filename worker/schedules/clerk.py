"""The thread that carries out runs in a worker process: one, and none of those that carry jobs, so that a long sheet
holds up no audio. What waits here when the process ends is sent for again."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.schedules.carrying_out import Carrier
from worker.store.faults import words
from worker.store.schedules import RunKey

CLOSE_SECONDS: Final = 5.0
"""How long the end of the process waits for the run under way. Broken off, it leaves nothing behind but its claim."""

log = structlog.get_logger("ttsq.schedules")


class Clerk:
    """One a process. No thread is started before there is something to carry out."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._waiting: SimpleQueue[RunKey | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, key: RunKey) -> None:
        """One message: carried out when those before it are."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="ttsq-clerk", daemon=True)
                self._thread.start()
        self._waiting.put(key)

    def close(self) -> None:
        """Begin no other run, and wait a little for the one under way."""
        self._closed.set()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _loop(self) -> None:
        while (key := self._waiting.get()) is not None and not self._closed.is_set():
            self._carry(key)

    def _carry(self, key: RunKey) -> None:
        try:
            self._carrier.run(key)
        except SQLAlchemyError as error:
            log.warning("schedule_waits", schedule=key.schedule, tenant=key.tenant, error=words(error))
        except OSError as error:
            log.warning("schedule_waits", schedule=key.schedule, tenant=key.tenant, error=str(error))
        except Exception:
            log.exception("schedule_crashed", schedule=key.schedule, tenant=key.tenant)
