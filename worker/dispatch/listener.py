"""Receives notifications of new jobs or events while the dispatcher leads: one thread, one dedicated connection.

Followers do not listen: they have nothing to start, and each would keep an idle connection open. Weakness: while the
connection is down no notification arrives, and jobs wait for the dispatcher's next poll.
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
"""How often it checks for a stop and for leadership."""
EMBEDDED_POLL_SECONDS: Final = 0.05
"""The same with SQLite, where the worker runs inside a command that must exit promptly."""
RECONNECT_SECONDS: Final = 1.0
"""Delay before reconnecting after an error."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Listener:
    database: Database
    on_arrival: Callable[[], None]
    leads: Callable[[], bool]
    channel: str = notifications.CHANNEL
    _is_down: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="ttsq-listener", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            if not self.leads():
                continue
            try:
                self._listen()
            except SQLAlchemyError as error:
                self._note_outage(describe(error))
                self._stopping.wait(RECONNECT_SECONDS)
            except Exception:
                # Without this thread jobs start late: it must survive unexpected errors.
                log.exception("listener_crashed")
                self._stopping.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with notifications.watch(self.database, self.channel) as wait:
            if self._is_down:
                self._is_down = False
                log.info("notify_available")
            self.on_arrival()  # for jobs that arrived before the connection
            while self.leads() and not self._stopping.is_set():
                if wait(self._poll_seconds):
                    self.on_arrival()

    @property
    def _poll_seconds(self) -> float:
        return EMBEDDED_POLL_SECONDS if self.database.is_sqlite else POLL_SECONDS

    def _note_outage(self, error: str) -> None:
        """Log once: the dispatcher reports database outages itself, and the effect is only a slower start."""
        if not self._is_down:
            self._is_down = True
            log.info("notify_unavailable", error=error, channel=self.channel, meanwhile="polling four times a second")
