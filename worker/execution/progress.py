"""An attempt's progress: what it owes if it ends now, and how long its steps took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from worker.execution import settlements
from worker.execution.request_handle import JobHandle
from worker.execution.settlements import Bill
from worker.execution.spool import Receipt
from worker.segmind.errors import SpoolError
from worker.telemetry import tracing

CALL: Final = "call"
UPLOAD: Final = "upload"


@dataclass(slots=True)
class Progress:
    """Written by the attempt's current thread; read by another one only during shutdown."""

    model: str
    handle: JobHandle
    calling: bool = False
    """The call has begun and not returned."""
    bought: Receipt | None = None
    """Receipt of the spooled answer."""
    _seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            with tracing.span(name):
                yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - began

    def milliseconds(self, step: str) -> int | None:
        """Duration of a step; None if it was not reached."""
        seconds = self._seconds.get(step)
        return None if seconds is None else round(1000 * seconds)

    def bill(self, error: Exception | None = None) -> Bill:
        """What is owed now, or was when `error` was raised."""
        followed = self.handle.request_id is not None
        if isinstance(error, SpoolError):
            return settlements.bill_so_far(error.answer, followed=followed) if error.answer else settlements.NO_BILL
        if self.bought is not None:
            return settlements.bill_for(self.model, self.bought)
        if self.handle.unkept is not None:
            return Bill(request_id=self.handle.unkept, possibly_billed=True)
        return Bill(possibly_billed=self.calling and not followed)
