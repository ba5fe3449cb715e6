"""Whether every thread that a worker depends on still runs: a worker with one that hangs must fail its health check.

A thread that waits for a broker or a database that is away doesn't hang: a restart would cut paid calls for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

STALL_SECONDS: Final = 45.0
"""Longer than any wait with a limit of its own, such as connecting to a broker that doesn't answer."""
STAMP_SECONDS: Final = 2.0
"""Between two stamps of a thread that does so by itself."""

Run = Callable[[Callable[[], None]], object]
"""Has something run on a thread."""


@dataclass(slots=True)
class _Thread:
    seen_at: float
    is_excused: Callable[[], bool]
    run: Run | None
    is_asked: bool = False


@dataclass(slots=True)
class Liveness:
    """One per process. Thread-safe: each thread writes a field of its own."""

    clock: Callable[[], float] = time.monotonic
    _threads: dict[str, _Thread] = field(default_factory=dict)
    _looked_at: float | None = None

    def watch(self, name: str, *, is_excused: Callable[[], bool] = lambda: False, run: Run | None = None) -> None:
        """Expect stamps from now on. With `run`, the thread is asked for each of them."""
        self._threads[name] = _Thread(self.clock(), is_excused, run)

    def stamp(self, name: str) -> None:
        """Called on the thread itself. Does nothing before `watch`."""
        if (thread := self._threads.get(name)) is not None:
            thread.seen_at, thread.is_asked = self.clock(), False

    def ask(self) -> None:
        """Have the threads stamp that don't do so by themselves."""
        for name, thread in self._threads.items():
            if thread.run is not None and not thread.is_asked:
                thread.is_asked = True
                thread.run(lambda name=name: self.stamp(name))  # type: ignore[misc]  # the default binds the name

    def problem(self) -> str | None:
        """Which thread hangs; None if all run. To be called every few seconds.

        An excused thread has its full time from the end of its excuse, and all of them after a suspended process
        continues.
        """
        now = self.clock()
        was_suspended = self._looked_at is not None and now - self._looked_at > STALL_SECONDS / 2
        self._looked_at = now
        for name, thread in self._threads.items():
            if was_suspended or thread.is_excused():
                thread.seen_at = now
            elif now - thread.seen_at > STALL_SECONDS:
                return f"the {name} thread has not run for over {STALL_SECONDS:.0f} s; restart the worker"
        return None
