"""How far the call of an attempt has come, and so what the attempt owes if it breaks off there."""

from __future__ import annotations

from dataclasses import dataclass

from worker.execution import outcomes
from worker.execution.handles import JobHandle
from worker.execution.outcomes import Bill
from worker.execution.spool import Receipt
from worker.segmind.errors import SpoolError


@dataclass(slots=True)
class Progress:
    """Written by the attempt's own thread; read by another one only when the worker leaves."""

    model: str
    handle: JobHandle
    calling: bool = False
    """The call has begun, and nothing of its end is known."""
    bought: Receipt | None = None
    """What the call brought is in the spool, with this receipt."""

    def bill(self, error: Exception | None = None) -> Bill:
        """What is owed at this moment, or was when `error` came."""
        followed = self.handle.request_id is not None
        if isinstance(error, SpoolError):
            return outcomes.bill_so_far(error.answer, followed=followed) if error.answer else outcomes.NO_BILL
        if self.bought is not None:
            return outcomes.bill_for(self.model, self.bought)
        if self.handle.unkept is not None:
            return Bill(request_id=self.handle.unkept, possibly_billed=True)
        return Bill(possibly_billed=self.calling and not followed)
