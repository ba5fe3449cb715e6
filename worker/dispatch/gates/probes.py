"""Free checks of closed gates, outside the dispatcher's thread: a slow endpoint must not cost it the lead."""

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
    error: str | None
    """Why the gate must stay closed; None if the check passed."""
    balance: Decimal | None = None
    """US dollars, if the check asked for the balance."""


@dataclass(frozen=True, slots=True)
class Passed:
    gate: Gate
    """The gate when the check began."""
    in_flight: int
    """Calls in flight when the check began: the balance may not yet include them."""
    balance: Decimal | None


Check = Callable[[Gate], ProbeResult]
"""Checks whether a gate may open. May block for seconds."""


@dataclass(slots=True)
class Prober:
    """Runs one check per gate at a time, each in a short-lived thread."""

    run_check: Check
    _passed: queue.SimpleQueue[Passed] = field(default_factory=queue.SimpleQueue)
    _balances: queue.SimpleQueue[Decimal] = field(default_factory=queue.SimpleQueue)
    _running: set[str] = field(default_factory=set)
    _read: list[Passed] = field(default_factory=list)
    """Passed checks whose effect is not yet committed."""
    _read_balances: list[Decimal] = field(default_factory=list)

    def check(self, gate: Gate, in_flight: int) -> None:
        if gate.name in self._running:
            return
        self._running.add(gate.name)
        threading.Thread(target=self._run, args=(gate, in_flight), name=f"ttsq-probe-{gate.name}", daemon=True).start()

    def passed(self) -> list[Passed]:
        """Return the checks that passed since the last call, and those whose effect was not committed."""
        self._read += _drain(self._passed)
        return list(self._read)

    def confirm(self) -> None:
        """Forget what was returned so far: its effect is committed."""
        self._read.clear()
        self._read_balances.clear()

    def balances(self) -> list[Decimal]:
        self._read_balances += _drain(self._balances)
        return list(self._read_balances)

    def _run(self, gate: Gate, in_flight: int) -> None:
        try:
            result = self.run_check(gate)
            if result.balance is not None:
                self._balances.put(result.balance)
            if result.error is None:
                self._passed.put(Passed(gate, in_flight, result.balance))
            else:
                log.info("probe_failed", gate=gate.name, reason=result.error)
        finally:
            self._running.discard(gate.name)


def _drain(items: queue.SimpleQueue[T]) -> list[T]:
    found = []
    while not items.empty():
        found.append(items.get())
    return found
