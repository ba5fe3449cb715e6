"""What one answer can tell of another clock, as `ttsq doctor` judges it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.cli.doctor.clocks import WHOLE_SECOND, Offset, Reading

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Noon plus `seconds`."""
    return NOON + timedelta(seconds=seconds)


def found(first: float, last: float, asked: float, arrived: float) -> Offset:
    """All in seconds from noon."""
    return Offset.found(Reading(after(first), after(last)), after(asked), after(arrived))


@pytest.mark.parametrize("made", [0.0, 4.0, 8.0])
def test_an_answer_that_was_long_on_its_way_accuses_no_clock(made: float) -> None:
    """The answer may have been made at any moment of the round trip."""
    offset = found(made, made, asked=0, arrived=8)
    assert offset.sure == 0
    assert offset.bound == max(made, 8 - made)


@pytest.mark.parametrize(("ahead", "sure"), [(180, 179.75), (-180, -179.75)])
def test_a_clock_that_is_surely_apart_is_found_all_the_same(ahead: float, sure: float) -> None:
    """By what is left when the whole way is in its favour."""
    assert found(0.25 + ahead, 0.25 + ahead, asked=0, arrived=0.5).sure == sure


def test_a_date_without_its_fraction_is_a_second_wide() -> None:
    """An HTTP header that says 12:00:00 may have been written just before 12:00:01."""
    cut = Offset.found(Reading(NOON, NOON + WHOLE_SECOND), after(0.75), after(0.875))
    assert (cut.least, cut.most, cut.sure) == (-0.875, 0.25, 0)
