"""The flow of ending attempts, and how far ahead of free slots the dispatcher may send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.dispatch import capacity
from worker.dispatch.capacity import Flow

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def after_ticks(ended: int, *, ticks: int, tick_seconds: float = 0.1, begin: Flow | None = None) -> Flow:
    """The flow after `ticks` ticks, each of which found the same number."""
    seen = begin or capacity.after(Flow(), ended=0, now=NOW)
    start = seen.seen_at or NOW
    for number in range(1, ticks + 1):
        seen = capacity.after(seen, ended=ended, now=start + timedelta(seconds=number * tick_seconds))
    return seen


def test_a_steady_flow_is_found_within_seconds() -> None:
    """Ten attempts a tick of a tenth of a second are a hundred a second."""
    assert after_ticks(10, ticks=40).per_second == pytest.approx(100, rel=0.05)


def test_the_first_look_says_nothing() -> None:
    """What was found then may have gathered for hours."""
    assert capacity.ahead(capacity.after(Flow(), ended=2_000, now=NOW), slots=100) == 0


def test_as_many_are_sent_ahead_as_end_meanwhile() -> None:
    """A fifth of a second's worth."""
    assert capacity.ahead(Flow(100.0, NOW), slots=1_000) == 20


def test_no_more_are_sent_ahead_than_there_are_slots() -> None:
    """However fast calls end, a second turn for each slot is enough."""
    assert capacity.ahead(Flow(10_000.0, NOW), slots=50) == 50


def test_slow_calls_send_nothing_ahead() -> None:
    """Three calls a second: the next one finds its slot free."""
    assert capacity.ahead(Flow(3.0, NOW), slots=1_000) == 0


def test_a_flow_that_ends_is_forgotten_within_seconds() -> None:
    """Nothing is sent ahead for the slots of a batch that is done."""
    assert capacity.ahead(after_ticks(0, ticks=50, begin=Flow(100.0, NOW)), slots=1_000) == 0


def test_a_clock_that_steps_back_changes_nothing() -> None:
    """No rate comes of a negative time."""
    assert capacity.after(Flow(7.0, NOW), ended=5, now=NOW - timedelta(seconds=1)) == Flow(7.0, NOW)
