"""Logs an ongoing outage when it begins, every 30 seconds while it lasts, and when it ends: not once per retry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

REMIND_SECONDS: Final = 30.0
"""Between two log events with the same message."""


@dataclass(slots=True)
class OutageLog:
    """One kind of outage of one component. Thread-safe."""

    log: structlog.typing.FilteringBoundLogger
    event: str
    """Log event of a failure; the end of the outage is logged as `{event}_ended`."""
    clock: Callable[[], float] = time.monotonic
    message: str | None = None
    """The latest error; None while there is no outage."""
    _since: float = 0.0
    _logged_at: dict[str, float] = field(default_factory=dict)
    """When each message was last logged."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failing(self, message: str, **more: object) -> None:
        now = self.clock()
        with self._lock:
            if self.message is None:
                self._since = now
            self.message = message
            if now - self._logged_at.get(message, float("-inf")) < REMIND_SECONDS:
                return
            self._logged_at[message] = now
        self.log.warning(self.event, error=message, for_seconds=round(now - self._since, 1), **more)

    def recovered(self) -> None:
        if self.message is None:
            return
        with self._lock:
            if self.message is None:
                return
            self.message = None
            self._logged_at.clear()
        self.log.info(self._end, after_seconds=round(self.clock() - self._since, 1))

    @property
    def _end(self) -> str:
        return f"{self.event}_ended"
