"""A process that leaves: in good order when it is asked to, at once when asked again, never for longer than it may."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from worker.process.shutdown import CUT_SHORT, Shutdown, ShutdownRequest

SECONDS = 20.0
"""Bound for what takes no time at all; a test that reaches it fails."""


@dataclass(slots=True)
class Parts:
    """A worker whose calls last until the test ends them. It records its requests."""

    idle: bool = True
    calls: threading.Event = field(default_factory=threading.Event)
    """Set when the calls in flight have ended."""
    waiting: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    drops: threading.Event | None = None
    """Where given, `drop` doesn't return before it is set."""

    def begin_stop(self) -> None:
        """As a worker does."""
        self.asked.append("begin")

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait for the test, or pretend that the time is up."""
        self.asked.append(f"wait {seconds:g}")
        self.waiting.set()
        self.calls.wait(SECONDS)
        return self.idle

    def finish_stop(self) -> None:
        """As a worker does."""
        self.asked.append("finish")

    def abort(self) -> None:
        """As a worker does, or never."""
        self.asked.append("drop")
        if self.drops is not None:
            self.drops.wait(SECONDS)


@dataclass(slots=True)
class End:
    """In the place of the process's end."""

    statuses: list[int] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    def __call__(self, status: int) -> None:
        self.statuses.append(status)
        self.came.set()


def test_asked_once_it_leaves_in_good_order() -> None:
    """Begin, wait for the calls within the grace, finish; the process may then end by itself."""
    parts, end = Parts(), End()
    parts.calls.set()
    going = Shutdown(parts, grace_seconds=60, end=end)
    going.ask()
    assert end.came.wait(SECONDS)
    assert parts.asked == ["begin", "wait 60", "finish"]
    assert end.statuses == [0]


def test_calls_that_outlast_the_grace_are_cut_by_the_end() -> None:
    """In good order all the same: what was left has been handed back by then."""
    parts, end = Parts(idle=False), End()
    parts.calls.set()
    Shutdown(parts, grace_seconds=1, end=end).ask()
    assert end.came.wait(SECONDS)
    assert parts.asked == ["begin", "wait 1", "finish"]
    assert end.statuses == [0]


@pytest.mark.parametrize("last_one_hangs", [False, True])
def test_asked_twice_it_is_gone_at_once(last_one_hangs: bool) -> None:
    """It drops what it has in hand, and doesn't wait for that either when the database is away."""
    parts, end = Parts(drops=threading.Event() if last_one_hangs else None), End()
    going = Shutdown(parts, grace_seconds=60, end=end)
    going.ask()
    assert parts.waiting.wait(SECONDS)
    going.ask()
    assert end.came.wait(SECONDS)
    assert parts.asked == ["begin", "wait 60", "drop"]
    assert end.statuses[0] == CUT_SHORT
    parts.calls.set()
    if parts.drops is not None:
        parts.drops.set()


def test_an_immediate_shutdown_can_be_requested_from_the_start() -> None:
    """Nothing is waited for."""
    parts, end = Parts(), End()
    Shutdown(parts, grace_seconds=60, end=end).ask(ShutdownRequest.AT_ONCE)
    assert end.came.wait(SECONDS)
    assert parts.asked == ["drop"]
    assert end.statuses == [CUT_SHORT]


def test_a_process_that_ends_by_itself_leaves_in_good_order_first() -> None:
    """Its end is no second signal; and it keeps its own status."""
    parts, end = Parts(), End()
    going = Shutdown(parts, grace_seconds=60, end=end)
    going.ask()
    assert parts.waiting.wait(SECONDS)
    ending = threading.Thread(target=going.complete, args=(7,))
    ending.start()
    parts.calls.set()
    ending.join(SECONDS)
    assert parts.asked == ["begin", "wait 60", "finish"]
    assert 7 in end.statuses


def test_a_process_without_a_request_leaves_in_good_order_too() -> None:
    """Celery may break off by itself."""
    parts, end = Parts(), End()
    parts.calls.set()
    Shutdown(parts, grace_seconds=60, end=end).complete(3)
    assert parts.asked == ["begin", "wait 60", "finish"]
    assert end.statuses[0] == 3
