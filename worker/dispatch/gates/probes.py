"""Free checks of closed gates, off the dispatcher's thread: a slow endpoint must not cost it the lead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

import structlog

from worker.store.account import Gate

T = TypeVar("T")

log = structlog.get_logger("ttsq.dispatch")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a free check saw."""

    trouble: str | None
    """Why the gate's trouble isn't over; None when it is."""
    balance: Decimal | None = None
    """US dollars left in the account, where the check asked for them."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A check that found the trouble over."""

    gate: Gate
    """As it was when the check began."""
    in_flight: int
    """Calls that were under way then: by the time that the account was looked at, they may not have been charged."""
    balance: Decimal | None


Check = Callable[[Gate], ProbeResult]
"""Looks whether a gate's trouble is over. It may take seconds."""


@dataclass(slots=True)
class Prober:
    """Runs one check a gate at a time, each in a short-lived thread."""

    look: Check
    _passed: queue.SimpleQueue[Passed] = field(default_factory=queue.SimpleQueue)
    _balances: queue.SimpleQueue[Decimal] = field(default_factory=queue.SimpleQueue)
    _under_way: set[str] = field(default_factory=set)

    def check(self, gate: Gate, in_flight: int) -> None:
        """Begin a check, unless one of this gate is still under way."""
        if gate.name in self._under_way:
            return
        self._under_way.add(gate.name)
        threading.Thread(target=self._run, args=(gate, in_flight), name=f"ttsq-probe-{gate.name}", daemon=True).start()

    def passed(self) -> list[Passed]:
        """The checks that passed since the last call."""
        return _drained(self._passed)

    def balances(self) -> list[Decimal]:
        """What the account held, by the checks that ended since the last call, the latest last."""
        return _drained(self._balances)

    def _run(self, gate: Gate, in_flight: int) -> None:
        try:
            finding = self.look(gate)
            if finding.balance is not None:
                self._balances.put(finding.balance)
            if finding.trouble is None:
                self._passed.put(Passed(gate, in_flight, finding.balance))
            else:
                log.info("probe_failed", gate=gate.name, reason=finding.trouble)
        finally:
            self._under_way.discard(gate.name)


def _drained(waiting: queue.SimpleQueue[T]) -> list[T]:
    found = []
    while not waiting.empty():
        found.append(waiting.get())
    return found
