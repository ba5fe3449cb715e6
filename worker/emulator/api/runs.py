"""The submitted requests of v2: how each stands at a given time, when it is billed, when its record is forgotten.

Nobody waits for a run: it is settled when next someone looks, as of the moment it ended.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from worker.emulator.api.tickets import Ticket


class RunState(StrEnum):
    """How a run stands, in the vendor's words."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    """Over, billed once, its output to be had until the record expires."""
    FAILED = "FAILED"
    """Over, unbilled."""


@dataclass(slots=True)
class Run:
    """One accepted request. Times are seconds of the vendor's steady clock, but for `submitted_at`."""

    ticket: Ticket
    began: float
    submitted_at: float
    """Epoch seconds, UTC."""
    queue_seconds: float
    balance: Decimal = Decimal(0)
    """What the account held once this run was paid."""

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.began + self.ticket.wait_seconds

    @property
    def inference_seconds(self) -> float:
        """What the model itself took."""
        return self.ticket.wait_seconds - self.queue_seconds

    def state(self, now: float) -> RunState:
        """How it stands at `now`."""
        if now >= self.ends:
            return RunState.FAILED if self.ticket.effect.run_fails else RunState.COMPLETED
        return RunState.QUEUED if now < self.began + self.queue_seconds else RunState.PROCESSING

    def settle(self) -> None:
        """Pay for it, or give its price back."""
        if self.ticket.effect.run_fails:
            self.ticket.drop()
        else:
            self.ticket.pay(self.submitted_at + self.ticket.wait_seconds)
        self.balance = self.ticket.books.account.balance


class Runs:
    """Every run that is under way, and every record that can still be polled."""

    def __init__(self, *, queued_share: float, record_seconds: float) -> None:
        self._queued_share = queued_share
        self._record_seconds = record_seconds
        self._records: OrderedDict[str, Run] = OrderedDict()
        self._under_way: list[tuple[float, str, Run]] = []

    def accept(self, ticket: Ticket, now: float, submitted_at: float) -> Run:
        """A request was submitted."""
        run = Run(ticket, now, submitted_at, ticket.wait_seconds * self._queued_share)
        self._records[ticket.request_id] = run
        heapq.heappush(self._under_way, (run.ends, ticket.request_id, run))
        return run

    def settle(self, now: float) -> None:
        """Bill all that ended, in the order in which it did, and forget the records that expired."""
        while self._under_way and self._under_way[0][0] <= now:
            heapq.heappop(self._under_way)[2].settle()
        while self._records and now >= next(iter(self._records.values())).began + self._record_seconds:
            self._records.popitem(last=False)

    def find(self, request_id: str) -> Run | None:
        """The record of a request; None where there is none, or none any more. Settle first."""
        return self._records.get(request_id)
