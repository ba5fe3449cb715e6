"""The caretaker: has what is kept no longer taken away. One thread in every worker process; where the dispatcher leads,
it works, and elsewhere it waits to.

Its weakness: one process removes everything. A bucket's own rules remove millions of objects sooner.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.retention.purging import Purger
from worker.store.faults import words
from worker.trouble import Trouble

LOOK_SECONDS: Final = 2.0

log = structlog.get_logger("ttsq.retention")


@dataclass(slots=True)
class Caretaker:
    """`start` and `stop` drive the thread."""

    purger: Purger
    leads: Callable[[], bool]
    _trouble: Trouble = field(default_factory=lambda: Trouble(log, "database_trouble"))
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._loop, name="ttsq-caretaker", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Take nothing more away."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                while self.leads() and not self._stopping.is_set() and self.purger.run_once():
                    pass
                self._trouble.over()
            except SQLAlchemyError as error:
                self._trouble.met(words(error))
            except Exception:
                # Without this thread nothing is removed any more, and nobody would know: it must outlive any surprise.
                log.exception("caretaker_surprised")
