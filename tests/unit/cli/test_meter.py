"""The rate, and the time that is left at it."""

from __future__ import annotations

import pytest

from worker.cli.console.progress import WINDOW_SECONDS, Meter


def test_nothing_is_said_before_a_second_was_seen() -> None:
    """Any rate taken from an instant would be a guess."""
    meter = Meter()
    assert meter.per_minute() is None
    meter.note(0, 100.0)
    meter.note(50, 100.5)
    assert meter.per_minute() is None
    assert meter.seconds_left(10) is None


def test_jobs_that_were_over_before_do_not_count() -> None:
    """A run that is taken up again starts its rate at zero."""
    meter = Meter()
    meter.note(500, 0.0)
    meter.note(510, 10.0)
    assert meter.per_minute() == pytest.approx(60)
    assert meter.seconds_left(30) == pytest.approx(30)


def test_the_rate_follows_a_change_within_a_window() -> None:
    """What happened more than a window ago is forgotten."""
    meter = Meter()
    for second in range(200):
        meter.note(second * 10 if second < 100 else 1_000, float(second))
    assert 200 - WINDOW_SECONDS > 100
    assert meter.per_minute() == 0
    assert meter.seconds_left(5) is None


def test_polling_often_keeps_little() -> None:
    """Four looks a second for an hour leave a window's worth of samples."""
    meter = Meter()
    for look in range(4 * 3_600):
        meter.note(look, look / 4)
    assert meter.per_minute() == pytest.approx(240)
    assert len(meter._seen) < 300
