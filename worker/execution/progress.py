"""How far an attempt has come: what it owes if it breaks off there, and how long its steps have taken."""

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
    """Written by whichever thread the attempt has; read by another one only when the worker leaves."""

    model: str
    handle: JobHandle
    calling: bool = False
    """The call has begun, and nothing of its end is known."""
    bought: Receipt | None = None
    """What the call brought is in the spool, with this receipt."""
    _seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a part of the attempt, and show it in its trace."""
        began = time.monotonic()
        try:
            with tracing.span(name):
                yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - began

    def milliseconds(self, step: str) -> int | None:
        """How long a step took; None where it was not come to."""
        seconds = self._seconds.get(step)
        return None if seconds is None else round(1000 * seconds)

    def bill(self, error: Exception | None = None) -> Bill:
        """What is owed at this moment, or was when `error` came."""
        followed = self.handle.request_id is not None
        if isinstance(error, SpoolError):
            return settlements.bill_so_far(error.answer, followed=followed) if error.answer else settlements.NO_BILL
        if self.bought is not None:
            return settlements.bill_for(self.model, self.bought)
        if self.handle.unkept is not None:
            return Bill(request_id=self.handle.unkept, possibly_billed=True)
        return Bill(possibly_billed=self.calling and not followed)
