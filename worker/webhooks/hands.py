"""The threads that carry deliveries: few, and none of those that carry jobs, so that a slow receiver holds up no audio.

What waits here when the process ends is sent again when its lease runs out.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.webhooks.delivering import Deliverer

THREADS: Final = 16

log = structlog.get_logger("ttsq.webhooks")


class Hands:
    """One a process. No thread is started before there is something to deliver."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._closed = False

    def take(self, delivery_id: UUID, attempts: int) -> None:
        """One message: it is carried out as soon as a thread is free."""
        with self._lock:
            if self._closed:
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ttsq-deliver")
            self._pool.submit(self._carry, delivery_id, attempts)

    def close(self) -> None:
        """Begin no other delivery, and wait for those under way."""
        with self._lock:
            self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _carry(self, delivery_id: UUID, attempts: int) -> None:
        try:
            self._deliverer.run(delivery_id, attempts)
        except SQLAlchemyError as error:
            # Its row brings it back.
            log.warning("database_trouble", delivery=str(delivery_id), error=str(error).splitlines()[0])
        except Exception:
            log.exception("delivery_crashed", delivery=str(delivery_id))
