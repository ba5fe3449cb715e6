"""A trouble that lasts, told when it begins, again every half minute, and when it is over: not once a try."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

REMIND_SECONDS: Final = 30.0
"""Between two lines with the same words."""


@dataclass(slots=True)
class OutageLog:
    """One kind of trouble of one part. `met` and `over` may be called from any thread."""

    log: structlog.typing.FilteringBoundLogger
    event: str
    """The name in the log; the end of it is `{event}_over`."""
    clock: Callable[[], float] = time.monotonic
    message: str | None = None
    """What is wrong now; None when nothing is."""
    _since: float = 0.0
    _told: dict[str, float] = field(default_factory=dict)
    """When each of its words was last told."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failing(self, words: str, **more: object) -> None:
        """It was met (again)."""
        now = self.clock()
        with self._lock:
            if self.message is None:
                self._since = now
            self.message = words
            if now - self._told.get(words, float("-inf")) < REMIND_SECONDS:
                return
            self._told[words] = now
        self.log.warning(self.event, error=words, for_seconds=round(now - self._since, 1), **more)

    def recovered(self) -> None:
        """All is well; costs nothing where it was well before."""
        if self.message is None:
            return
        with self._lock:
            if self.message is None:
                return
            self.message = None
            self._told.clear()
        self.log.info(self._end, after_seconds=round(self.clock() - self._since, 1))

    @property
    def _end(self) -> str:
        return f"{self.event}_over"
