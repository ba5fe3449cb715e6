"""The v2 runs: state at a time, billing, and expiry of records.

Nothing waits for a run. It is settled at the next access, as of the time at which it ended.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from worker.emulator.api.tickets import Ticket


class RunState(StrEnum):
    """A run's state, in the vendor's terms."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    """Billed once; the output is available until the record expires."""
    FAILED = "FAILED"
    """Not billed."""


@dataclass(slots=True)
class Run:
    """An accepted request. Times are monotonic seconds, except `submitted_at`."""

    ticket: Ticket
    began: float
    submitted_at: float
    queue_seconds: float
    balance: Decimal = Decimal(0)
    """The account's balance after this run was paid."""

    @property
    def ends(self) -> float:
        return self.began + self.ticket.wait_seconds

    @property
    def inference_seconds(self) -> float:
        return self.ticket.wait_seconds - self.queue_seconds

    def state(self, now: float) -> RunState:
        if now >= self.ends:
            return RunState.FAILED if self.ticket.effect.run_fails else RunState.COMPLETED
        return RunState.QUEUED if now < self.began + self.queue_seconds else RunState.PROCESSING

    def settle(self) -> None:
        if self.ticket.effect.run_fails:
            self.ticket.drop()
        else:
            self.ticket.pay(self.submitted_at + self.ticket.wait_seconds)
        self.balance = self.ticket.books.account.balance


class Runs:
    """Running runs and records that can still be polled."""

    def __init__(self, *, queued_share: float, record_seconds: float) -> None:
        self._queued_share = queued_share
        self._record_seconds = record_seconds
        self._records: OrderedDict[str, Run] = OrderedDict()
        self._running: list[tuple[float, str, Run]] = []

    def accept(self, ticket: Ticket, now: float, submitted_at: float) -> Run:
        run = Run(ticket, now, submitted_at, ticket.wait_seconds * self._queued_share)
        self._records[ticket.request_id] = run
        heapq.heappush(self._running, (run.ends, ticket.request_id, run))
        return run

    def settle(self, now: float) -> None:
        """Bill ended runs in the order in which they ended, and drop expired records."""
        while self._running and self._running[0][0] <= now:
            heapq.heappop(self._running)[2].settle()
        while self._records and now >= next(iter(self._records.values())).began + self._record_seconds:
            self._records.popitem(last=False)

    def find(self, request_id: str) -> Run | None:
        """Return the record, or None if unknown or expired. Call `settle` first."""
        return self._records.get(request_id)
