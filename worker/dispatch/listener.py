"""Hears of what is handed in elsewhere, where the dispatcher leads: a thread, and one connection of its own.

Followers don't listen: they have nothing to start, and each would keep a connection open for nothing. Its weakness is
that of the notices: while the connection is away nothing is heard, and jobs wait for the dispatcher's next look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.store import notifications
from worker.store.database import Database
from worker.store.errors import describe

POLL_SECONDS: Final = 0.25
"""Between two looks whether to go on, and whether this one leads by now."""
EMBEDDED_LOOK_SECONDS: Final = 0.05
"""The same where the database is a file: its worker is somebody's command, which isn't to end late."""
AGAIN_SECONDS: Final = 1.0
"""After a connection that failed."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Listener:
    """`start` and `stop` drive the thread."""

    database: Database
    heard: Callable[[], None]
    leads: Callable[[], bool]
    _deaf: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen as soon as this one leads."""
        self._thread = threading.Thread(target=self._loop, name="ttsq-listener", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Give the connection back."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            if not self.leads():
                continue
            try:
                self._listen()
            except SQLAlchemyError as error:
                self._note_deaf(describe(error))
                self._stopping.wait(AGAIN_SECONDS)
            except Exception:
                # It must outlive any surprise: without it jobs would start late, and nobody would know why.
                log.exception("listener_surprised")
                self._stopping.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        with notifications.watch(self.database) as wait:
            if self._deaf:
                self._deaf = False
                log.info("arrivals_heard_again")
            self.heard()  # of what came while nobody listened
            while self.leads() and not self._stopping.is_set():
                if wait(self._look_seconds):
                    self.heard()

    @property
    def _look_seconds(self) -> float:
        return EMBEDDED_LOOK_SECONDS if self.database.is_sqlite else POLL_SECONDS

    def _note_deaf(self, why: str) -> None:
        """Once: the dispatcher itself tells of a database that is away, and this is no worse than a slow start."""
        if not self._deaf:
            self._deaf = True
            log.info("arrivals_unheard", error=why, meanwhile="new jobs are found by looking four times a second")
