"""Producers that keep the queue full: a thread submits a batch whenever too few jobs are queued."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api_models.registry import DEFAULT_MODEL
from api_models.speech import JobRequest
from api_models.status import TERMINAL
from tests.chaos.event_timeline import Chronicle
from tests.cluster.cluster import Cluster
from worker.intake.validation import Row
from worker.store.queries import jobs

BATCH: Final = 20
OTHER_MODEL: Final = "gemini-2.5-flash-tts"
OTHER_EVERY: Final = 7
"""One line in `OTHER_EVERY` is for the other model, which has another price."""
TWIN_EVERY: Final = 10
"""One line in `TWIN_EVERY` repeats the line before: the same content, copied once it has been bought."""
POLL_SECONDS: Final = 0.3


@dataclass(slots=True)
class Load:
    """Submits batches between `start` and `stop`; survives database outages."""

    cluster: Cluster
    chronicle: Chronicle
    backlog: int
    """Jobs that are kept waiting or under way."""
    _handed_in: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            try:
                while not self._ended.is_set() and self._left() < self.backlog:
                    self._hand_in()
            except SQLAlchemyError:
                continue  # an unconfirmed batch was rolled back, or is found among the rows

    def _left(self) -> int:
        with self.cluster.database.read() as connection:
            counts = jobs.counts(connection, jobs.all_jobs())
        return counts.total - counts.of(*TERMINAL)

    def _hand_in(self) -> None:
        first = self._handed_in + 1
        self._handed_in += BATCH
        rows = [row(number) for number in range(first, first + BATCH)]
        batch = self.cluster.submit(rows, name=f"lines {first} to {first + BATCH - 1}")
        self.chronicle.accepted[batch] = len(rows)


def row(number: int) -> Row:
    """Line `number` of the whole run."""
    said = number - 1 if number % TWIN_EVERY == 0 else number
    model = OTHER_MODEL if said % OTHER_EVERY == 0 else DEFAULT_MODEL
    return Row(number, JobRequest(text=f"Carriage {said} is for sleeping.", model=model, custom_id=f"{number:06}"))
