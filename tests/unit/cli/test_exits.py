"""Signals that are counted, and a stop that a second one cuts short."""

from __future__ import annotations

import os
import signal
import threading
from uuid import UUID

import pytest

from worker.cli.console.exits import Interrupts
from worker.cli.run.workers import dismiss


class Stopping:
    """Workers that stop when they are let go, or are killed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.released = threading.Event()
        self.killed = False
        self.grace: float | None = None
        self._error = error

    def start(self) -> None:
        """They run."""

    def wake(self) -> None:
        """They are awake."""

    def finish(self, batch_id: UUID) -> str | None:
        """They have no batch."""

    def stop(self, *, grace_seconds: float) -> None:
        """Waits until they are let go."""
        self.grace = grace_seconds
        self.released.wait()
        if self._error:
            raise self._error

    def kill(self) -> None:
        """They are gone."""
        self.killed = True
        self.released.set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_counts_and_ends_a_wait(number: signal.Signals) -> None:
    """Instead of breaking in wherever the program happens to be; afterwards it breaks in again."""
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), number))
        timer.start()
        interrupts.wait(60)
        assert interrupts.count == 1
        timer.join()
    assert signal.getsignal(number) is before


def test_workers_are_stopped_in_good_order() -> None:
    """With the grace of the settings, and someone looking on meanwhile."""
    workers = Stopping()
    with Interrupts() as interrupts:
        assert dismiss(workers, interrupts, grace_seconds=7, tick=workers.released.set)
    assert workers.grace == 7
    assert not workers.killed


def test_a_second_signal_ends_them_at_once() -> None:
    """A second Ctrl-C doesn't wait for a call that takes minutes."""
    workers = Stopping()
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert not dismiss(workers, interrupts, grace_seconds=60, tick=lambda: os.kill(os.getpid(), signal.SIGINT))
    assert workers.killed


def test_what_goes_wrong_in_stopping_is_not_lost() -> None:
    """It happens in a thread, and is raised where someone can tell of it."""
    workers = Stopping(ValueError("no database"))
    with Interrupts() as interrupts, pytest.raises(ValueError, match="no database"):
        dismiss(workers, interrupts, grace_seconds=1, tick=workers.released.set)
