"""The ramp: how many calls start where nothing is known of a limit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.limited_account import Drive
from worker.dispatch.rate import ramp
from worker.emulator.limits import Limit, WindowKind


@settings(max_examples=60, deadline=None)
@given(rpm=st.integers(min_value=1, max_value=2_000), slots=st.sampled_from([10, 100, 1_000]))
def test_a_limit_is_overshot_by_a_multiple_of_itself_at_most(rpm: int, slots: int) -> None:
    """Where refusals come at once, no more calls are refused than 2.3 times those that came through, or five."""
    drive = Drive(Limit(rpm=rpm, window=WindowKind.FIXED), slots=slots).run(5)
    assert len(drive.refused) <= max(ramp.FIRST_CALLS, ramp.GROWTH * min(rpm, ramp.CROWD), ramp.CROWD_GROWTH * rpm)


@pytest.mark.parametrize(("rpm", "refused"), [(5, 1), (50, 12), (60, 2)])
def test_the_limits_that_the_vendor_publishes_are_overshot_by_few(rpm: int, refused: int) -> None:
    """A hundred slots stand ready, and few calls more than the limit go out."""
    assert len(Drive(Limit(rpm=rpm, window=WindowKind.SLIDING)).run(5).refused) <= refused


def test_a_hundred_slots_are_full_within_half_a_second() -> None:
    """The first calls alone, a pause, and then ever more of them."""
    starts = Drive(Limit()).run(1).starts
    assert starts[0] == (0.0, ramp.FIRST_CALLS)
    assert [count for _, count in starts] == [6, 13, 43, 38]
    assert starts[-1][0] < 0.6


def test_a_thousand_slots_are_full_within_three_seconds() -> None:
    """From a hundred on the steps are longer."""
    starts = Drive(Limit(), slots=1_000, latency=60.0).run(4).starts
    assert sum(count for _, count in starts) == 1_000
    assert starts[-1][0] < 3


def test_a_quiet_minute_is_forgotten() -> None:
    """An idle minute restarts the ramp, because the account's window may have restarted; half a minute doesn't."""
    drive = Drive(Limit(), idle=(10, 80)).run(80.2)
    assert next(count for at, count in drive.starts if at >= 80) == ramp.FIRST_CALLS
    drive = Drive(Limit(), idle=(10, 40)).run(40.2)
    assert next(count for at, count in drive.starts if at >= 40) == 100


def test_a_step_waits_for_the_calls_of_the_last_one() -> None:
    """As long as they may yet be refused nothing more starts; then thrice as many do, and not before."""
    calls = ramp.fresh((), 100.0, 6)
    assert ramp.allowed((), 0, 100.0) == 6
    assert ramp.allowed(calls, 6, 100.2) == 0
    due = ramp.next_step(calls, 6, 100.2)
    assert due == 100.0 + ramp.FIRST_PROOF_SECONDS
    assert ramp.allowed(calls, 6, due) == 13
    assert ramp.next_step(calls, 6, due) == due


def test_single_calls_wait_for_nothing() -> None:
    """A queue with an occasional text is far from any limit: six may be in flight at a time."""
    calls = ramp.fresh((), 100.0, 1)
    assert ramp.allowed(calls, 1, 100.1) == 5
    assert ramp.next_step(calls, 1, 100.1) == 100.1
