"""The times the API names: every format of the fact sheet, and nothing senseless."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.segmind.account import amount, cost, reset_at, seconds
from worker.segmind.reset_times import reset_stamp, retry_after

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
AT = NOW + timedelta(seconds=42)
CAP = timedelta(hours=1)


@pytest.mark.parametrize(
    "value",
    [
        str(int(AT.timestamp())),
        f"{AT.timestamp():.3f}",
        str(int(AT.timestamp() * 1_000)),
        str(int(AT.timestamp() * 1_000_000)),
        "2026-11-21T10:00:42Z",
        "2026-11-21T10:00:42.000Z",
        "2026-11-21T10:00:42+00:00",
        "2026-11-21T12:00:42+02:00",
        "2026-11-21T10:00:42",
        "2026-11-21 10:00:42",
        "2026-11-21 10:00:42 UTC",
        "  2026-11-21 10:00:42.000000  ",
        "Sat, 21 Nov 2026 10:00:42 GMT",
        "Sat, 21 Nov 2026 05:00:42 -0500",
        "Saturday, 21-Nov-26 10:00:42 GMT",
        "Sat Nov 21 10:00:42 2026",
    ],
)
def test_every_format_names_the_same_time(value: str) -> None:
    """Whichever form the vendor chose, the stamp is read, as UTC."""
    found = reset_stamp(value, NOW, CAP)
    assert found == AT
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "nan",
        "inf",
        "-5",
        "30",
        "9" * 20,
        "9" * 400,
        "2026-11-21 09:59:59",
        "2026-11-21 10:00:00",
        "2026-11-21 11:00:01",
        "2026-13-45 99:99:99",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "Sat, 99 Nov 2026 10:00:42 GMT",
    ],
)
def test_senseless_stamps_are_not_believed(value: str) -> None:
    """What can't be read, has passed, or lies beyond the cap leaves the pause to the backoff."""
    assert reset_stamp(value, NOW, CAP) is None


def test_now_may_be_in_any_zone() -> None:
    """The clock's zone makes no difference."""
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    assert reset_stamp("2026-11-21T10:00:42Z", berlin, CAP) == AT


@pytest.mark.parametrize(("value", "expected"), [("42", AT), ("42.0", AT), ("Sat, 21 Nov 2026 10:00:42 GMT", AT)])
def test_retry_after(value: str, expected: datetime) -> None:
    """`Retry-After` comes as seconds or as a date."""
    assert retry_after(value, NOW, CAP) == expected


@pytest.mark.parametrize("value", ["0", "-1", "3601", "9" * 19, "later"])
def test_senseless_waits_are_not_believed(value: str) -> None:
    """No wait, one beyond the cap, and prose are none."""
    assert retry_after(value, NOW, CAP) is None


@given(st.text(max_size=60) | st.from_regex(r"[0-9T:Z+. -]{1,40}"), st.datetimes(timezones=st.just(UTC)))
def test_reading_a_stamp_never_raises(value: str, now: datetime) -> None:
    """Any header, at any time, yields a time within the cap or None."""
    for found in (reset_stamp(value, now, CAP), retry_after(value, now, CAP)):
        assert found is None or timedelta(0) < found - now <= CAP


def test_own_header_goes_before_retry_after() -> None:
    """The vendor's stamp is the more exact; `Retry-After` stands in where it is absent or senseless."""
    stamp, wait = {"x-rate-limit-reset-at-utc": "2026-11-21T10:00:42Z"}, {"retry-after": "7"}
    assert reset_at(stamp | wait, NOW) == AT
    assert reset_at({"x-rate-limit-reset-at-utc": "?"} | wait, NOW) == NOW + timedelta(seconds=7)
    assert reset_at(wait, NOW) == NOW + timedelta(seconds=7)
    assert reset_at({}, NOW) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.0067", "0.0067"), (" $12.50 ", "12.50"), ("6.7e-05", "0.000067"), ("0", "0"), ("-0.02", "-0.02")],
)
def test_amounts_are_exact(value: str, expected: str) -> None:
    """Money is read to the last digit."""
    found = amount(value)
    assert found is not None
    assert format(found, "f") == expected


@pytest.mark.parametrize("value", [None, "", "free", "NaN", "Infinity", "1e99", "1,5", "١٢", "9" * 13, "0.01, 0.02"])
def test_junk_is_no_amount(value: str | None) -> None:
    """What isn't plainly an amount is none, rather than an error or a guess."""
    assert amount(value) is None


def test_a_cost_is_never_negative() -> None:
    """A balance may be below zero; a price may not."""
    assert cost("-0.01") is None


@pytest.mark.parametrize(
    ("value", "expected"), [("7.71", 7.71), ("7.71s", 7.71), ("7.71 s", 7.71), ("x", None), (None, None)]
)
def test_generation_time(value: str | None, expected: float | None) -> None:
    """Seconds, with or without their unit."""
    assert seconds(value) == expected


@given(st.text(max_size=40))
def test_reading_an_amount_never_raises(value: str) -> None:
    """Any header yields a finite amount or None."""
    found = amount(value)
    assert found is None or found.is_finite()
