"""The thread that finishes batches in a worker process: one, and none of those that carry jobs, so that a long list
of results holds up no audio. What waits here when the process ends is asked for again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.artifacts.errors import ArtifactsError
from worker.results.finishing import Finisher
from worker.store.faults import words

log = structlog.get_logger("ttsq.results")


class Desk:
    """One a process. No thread is started before there is something to write."""

    def __init__(self, finisher: Finisher) -> None:
        self._finisher = finisher
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._in_hand: set[UUID] = set()
        self._closed = False

    def take(self, batch_id: UUID) -> None:
        """One message: carried out when those before it are; a second one for the same batch is let go."""
        with self._lock:
            if self._closed or batch_id in self._in_hand:
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="ttsq-results")
            self._in_hand.add(batch_id)
            self._pool.submit(self._take, batch_id)

    def close(self) -> None:
        """Begin no other batch, and wait for the one under way."""
        with self._lock:
            self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def finish(self, batch_id: UUID) -> str | None:
        """The same at once, on the caller's thread. Returns what prevented it, which is tried again later."""
        try:
            self._finisher.run(batch_id)
        except SQLAlchemyError as error:
            trouble = words(error)
        except (ArtifactsError, OSError) as error:
            trouble = str(error)
        else:
            return None
        log.warning("results_not_written", batch=str(batch_id), error=trouble)
        return trouble

    def _take(self, batch_id: UUID) -> None:
        try:
            self.finish(batch_id)
        except Exception:
            log.exception("finishing_crashed", batch=str(batch_id))
        finally:
            with self._lock:
                self._in_hand.discard(batch_id)
