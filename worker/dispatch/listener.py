"""Receives notifications of new jobs, events and rows of the inbox while the dispatcher leads: one thread, one
dedicated connection.

Followers do not listen: they have nothing to start, and each would keep an idle connection open. Weakness: while the
connection is down no notification arrives, and jobs wait for the dispatcher's next poll.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.store import notifications
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.notifications import Interrupt

POLL_SECONDS: Final = 0.5
"""How often it checks whether it still leads."""
FOLLOWER_POLL_SECONDS: Final = 0.25
EMBEDDED_POLL_SECONDS: Final = 0.05
"""How often it checks whether it leads by now; with SQLite the worker may have one short job only."""
RECONNECT_SECONDS: Final = 1.0
"""Delay before reconnecting after an error."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Listener:
    database: Database
    on_arrival: Mapping[str, Callable[[], object]]
    """What is called after a notification, by channel; everything at first, for what arrived before the connection."""
    leads: Callable[[], bool]
    is_listening: bool = False
    _is_down: bool = False
    _interrupt: Interrupt | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._interrupt = Interrupt()
        self._thread = threading.Thread(target=self._run, name="ttsq-listener", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping.set()
        if self._interrupt is not None:
            self._interrupt.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._loop()
        finally:
            if self._interrupt is not None:
                self._interrupt.close()

    def _loop(self) -> None:
        seconds = EMBEDDED_POLL_SECONDS if self.database.is_sqlite else FOLLOWER_POLL_SECONDS
        while not self._stopping.wait(seconds):
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
        with notifications.watch(self.database, list(self.on_arrival), self._interrupt) as wait:
            if self._is_down:
                self._is_down = False
                log.info("notify_available")
            heard: Collection[str] = self.on_arrival
            self.is_listening = True
            try:
                while self.leads() and not self._stopping.is_set():
                    for channel in heard:
                        self.on_arrival[channel]()
                    heard = wait(POLL_SECONDS)
            finally:
                self.is_listening = False

    def _note_outage(self, error: str) -> None:
        """Log once: the dispatcher reports database outages itself, and the effect is only a slower start."""
        if not self._is_down:
            self._is_down = True
            channels = list(self.on_arrival)
            log.info("notify_unavailable", error=error, channels=channels, meanwhile="polling four times a second")
