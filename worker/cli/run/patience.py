"""How long a run waits for a budget or a resume: no longer than it takes to be sure that nothing else can start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from worker.cli.queue.reckoning import Snapshot

SURE_SECONDS: Final = 2.0
"""The dispatcher looks far more often: what it hasn't started by then, it doesn't."""


class Patience:
    """Asked with every look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None

    def is_over(self, snapshot: Snapshot) -> bool:
        """Whether the rest waits for nothing but a budget or a resume, and has done so for some looks."""
        if not snapshot.stands_still:
            self._since = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since >= SURE_SECONDS
