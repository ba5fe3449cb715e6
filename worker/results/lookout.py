"""The lookout: finds batches whose jobs are all over, and wakes a worker for each. `run_once` is one look.

One thread in every worker process; the one whose dispatcher leads does the work, the others wait to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.store.database import Database
from worker.store.faults import words
from worker.store.transitions import finishing
from worker.trouble import Trouble

LOOK_SECONDS: Final = 0.5
BATCHES_A_LOOK: Final = 500
"""Of those that aren't finished; where there are more, the next look goes on behind them."""
FIRST_WAIT_SECONDS: Final = 15.0
LONGEST_WAIT_SECONDS: Final = 600.0
"""Before a message counts as lost; the wait doubles, because a batch may also be long, or its store in trouble."""
FROM_THE_TOP: Final = UUID(int=0)

log = structlog.get_logger("ttsq.results")

Announce = Callable[[Sequence[UUID]], object]
"""Sends a message a batch. What can't be sent is sent again as if it had been lost."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, and when it is sent again."""

    again_at: float
    wait_seconds: float


@dataclass(slots=True)
class Lookout:
    """`start` and `stop` drive the thread; `run_once` is for it and for tests."""

    database: Database
    announce: Announce
    leads: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _sent: dict[UUID, Sent] = field(default_factory=dict)
    _after: UUID = FROM_THE_TOP
    _trouble: Trouble = field(default_factory=lambda: Trouble(log, "database_trouble"))
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._loop, name="ttsq-lookout", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Send nothing more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                if self.leads():
                    self.run_once()
                else:
                    self._sent.clear()
                self._trouble.over()
            except SQLAlchemyError as error:
                self._trouble.met(words(error))
            except Exception:
                # Without this thread no batch is ever finished, and nobody would know: it must outlive any surprise.
                log.exception("lookout_surprised")

    def run_once(self) -> None:
        """Look at the next batches that aren't finished, and send for those that could be."""
        began = self._after
        with self.database.read() as connection:
            ready, behind = finishing.unfinished(connection, after=began, most=BATCHES_A_LOOK)
        self._after = behind or FROM_THE_TOP
        # What is finished, or goes on, is sent for at once when it is over the next time.
        for batch_id in self._sent.keys() - set(ready):
            if began < batch_id and (behind is None or batch_id <= behind):
                del self._sent[batch_id]
        if due := self._due(ready):
            self.announce(due)

    def _due(self, ready: Sequence[UUID]) -> list[UUID]:
        """Those that were never sent for, or so long ago that the message counts as lost."""
        now, due = self.clock(), list[UUID]()
        for batch_id in ready:
            before = self._sent.get(batch_id)
            if before is not None and before.again_at > now:
                continue
            seconds = FIRST_WAIT_SECONDS if before is None else min(LONGEST_WAIT_SECONDS, before.wait_seconds * 2)
            self._sent[batch_id] = Sent(now + seconds, seconds)
            due.append(batch_id)
        return due
