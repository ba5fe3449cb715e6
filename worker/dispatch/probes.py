"""Free checks of closed gates, off the dispatcher's thread: a slow endpoint must not cost it the lead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from worker.store.account import Gate

log = structlog.get_logger("ttsq.dispatch")

Check = Callable[[Gate], str | None]
"""Looks whether a gate's trouble is over: None when it is, else why not. It may take seconds."""


@dataclass(slots=True)
class Prober:
    """Runs one check a gate at a time, each in a short-lived thread."""

    look: Check
    _passed: queue.SimpleQueue[Gate] = field(default_factory=queue.SimpleQueue)
    _under_way: set[str] = field(default_factory=set)

    def check(self, gate: Gate) -> None:
        """Begin a check, unless one of this gate is still under way."""
        if gate.name in self._under_way:
            return
        self._under_way.add(gate.name)
        threading.Thread(target=self._run, args=(gate,), name=f"ttsq-probe-{gate.name}", daemon=True).start()

    def passed(self) -> list[Gate]:
        """The gates, as they were when their checks began, whose checks passed since the last call."""
        gates = []
        while not self._passed.empty():
            gates.append(self._passed.get())
        return gates

    def _run(self, gate: Gate) -> None:
        try:
            trouble = self.look(gate)
            if trouble is None:
                self._passed.put(gate)
            else:
                log.info("probe_failed", gate=gate.name, reason=trouble)
        finally:
            self._under_way.discard(gate.name)
