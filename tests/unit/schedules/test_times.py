"""When schedules are due: cron expressions by a time zone's clock, and what is made of times that have passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.validation import Defaults
from worker.schedules.cron import BadTimesError, next_after
from worker.schedules.options import Options
from worker.schedules.runner import LAPSE_SECONDS, lapse
from worker.schedules.scheduler import Step, step
from worker.store.schedules import RunState, ScheduleRecord

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_schedule(**fields: Any) -> ScheduleRecord:  # noqa: ANN401 - any field of it
    """Every hour, made up for within one."""
    plain: dict[str, Any] = {
        "tenant": "default",
        "name": "hourly",
        "cron": "0 * * * *",
        "timezone": "UTC",
        "source": "/a.csv",
    }
    times = {"options": "{}", "catch_up_seconds": 3_600, "created_at": NOON, "next_due_at": NOON}
    return ScheduleRecord(**(plain | times | fields))


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-11-21T12:00:00+00:00", "2026-11-23T01:30:00+00:00"),  # a Saturday
        ("2026-07-01T12:00:00+00:00", "2026-07-02T00:30:00+00:00"),
        ("2026-11-23T01:30:00+00:00", "2026-11-24T01:30:00+00:00"),
    ],
)
def test_an_expression_means_its_own_zone(moment: str, due: str) -> None:
    """Half past two in Berlin on weekdays, in winter and in summer; a time itself is not behind itself."""
    found = next_after("30 2 * * MON-FRI", "Europe/Berlin", datetime.fromisoformat(moment))
    assert found == datetime.fromisoformat(due)


def test_a_fixed_hour_comes_once_on_days_on_which_clocks_are_set() -> None:
    """It is not left out in spring and doesn't come twice in autumn."""
    for day in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        first = next_after("30 2 * * *", "Europe/Berlin", day)
        assert first is not None
        second = next_after("30 2 * * *", "Europe/Berlin", first)
        assert second is not None
        assert timedelta(hours=22) <= second - first <= timedelta(hours=26)


@pytest.mark.parametrize(
    ("expression", "timezone"),
    [("* * * *", "UTC"), ("61 * * * *", "UTC"), ("tomorrow", "UTC"), ("* * * * *", "Mars/Base"), ("* * * * *", "../x")],
)
def test_an_invalid_schedule_is_an_error(expression: str, timezone: str) -> None:
    """With what would."""
    with pytest.raises(BadTimesError, match="use"):
        next_after(expression, timezone, NOON)


def test_a_due_time_becomes_a_run_and_the_next_one_is_known() -> None:
    """Also one that is late, within its time to be made up for."""
    for late in (timedelta(0), timedelta(minutes=59), HOUR):
        assert step(a_schedule(), NOON, NOON + late) == Step(NOON, RunState.DUE, None, NOON + HOUR)


def test_a_time_that_is_too_old_is_missed() -> None:
    """The next one is the first that can still be made up for."""
    made = step(a_schedule(), NOON, NOON + HOUR + timedelta(minutes=1))
    assert (made.state, made.next_due_at) == (RunState.MISSED, NOON + HOUR)
    assert made.message
    assert "all times" not in made.message


def test_a_year_of_missed_times_is_one_row() -> None:
    """It records up to when, and the schedule advances to the times that can still be made up for."""
    later = NOON + timedelta(days=365, minutes=30)
    made = step(a_schedule(cron="* * * * *"), NOON, later)
    assert (made.due_at, made.state, made.next_due_at) == (NOON, RunState.MISSED, later - HOUR)
    assert made.message
    assert (later - HOUR).isoformat() in made.message


@given(st.integers(0, 10_000_000), st.integers(0, 100_000))
def test_time_only_goes_forward(late_seconds: int, catch_up: int) -> None:
    """However late, and whatever is made up for: the next time lies behind this one, and no run is older than asked."""
    now = NOON + timedelta(seconds=late_seconds)
    made = step(a_schedule(catch_up_seconds=catch_up), NOON, now)
    assert made.next_due_at is not None
    assert made.next_due_at > made.due_at
    assert (made.state is RunState.DUE) == (late_seconds <= catch_up)


def test_a_worker_may_have_a_run_for_longer_with_every_attempt() -> None:
    """A source that takes an hour to read isn't restarted forever."""
    assert [lapse(number).total_seconds() / LAPSE_SECONDS for number in (1, 2, 3, 6)] == [1, 2, 4, 32]


def test_options_are_kept_without_what_was_not_said() -> None:
    """And read again as they were."""
    options = Options(database_env="CMS_DATABASE_URL", defaults=Defaults(voice_1="Kore"))
    assert options.kept() == '{"database_env": "CMS_DATABASE_URL", "voice_1": "Kore"}'
    assert Options.read(options.kept()) == options
