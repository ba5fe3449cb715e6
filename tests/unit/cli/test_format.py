"""Amounts, durations and moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from worker.cli.console.format import cut, duration, exact, moment, money, number

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "words"),
    [("0", "$0"), ("0.0067", "$0.0067"), ("0.00005", "$0.0000"), ("12", "$12.0000"), ("1234.5", "$1,234.5000")],
)
def test_money_goes_to_a_hundredth_of_a_cent(amount: str, words: str) -> None:
    """Nothing spent is `$0`; anything else has four decimals, never an exponent."""
    assert money(Decimal(amount)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (34.4, "34 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3_600, "1 h"),
        (3_780, "1 h 3 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    """The seconds of an hour are left out."""
    assert duration(seconds) == words


def test_only_one_is_singular() -> None:
    """`0 jobs`, `1 job`, and thousands set apart."""
    assert [number(count, "job") for count in (0, 1, 2, 1_200)] == ["0 jobs", "1 job", "2 jobs", "1,200 jobs"]


@pytest.mark.parametrize(
    ("ago", "form"), [(timedelta(0), "%H:%M:%S"), (timedelta(days=2), "%d %b %H:%M"), (timedelta(days=400), "%Y-%m-%d")]
)
def test_a_moment_names_its_day_only_where_that_is_another_one(ago: timedelta, form: str) -> None:
    """On the reader's own clock: today's times stand alone, older ones say when."""
    at = NOON - ago
    assert moment(at, NOON) == at.astimezone().strftime(form)


def test_a_cut_text_shows_that_it_was_cut() -> None:
    """Line breaks are removed, and the last character is an ellipsis."""
    assert cut("one\n two", 20) == "one two"
    assert cut("abcdef", 4) == "abc…"


def test_exact_amounts_stand_in_line_and_lose_no_digit() -> None:
    """As many digits as the finest of them has, and four at least."""
    assert exact([Decimal("0.0067"), Decimal(1_200)]) == ["$0.0067", "$1,200.0000"]
    assert exact([Decimal("0.006700000001"), Decimal(0)]) == ["$0.006700000001", "$0.000000000000"]
    assert exact([]) == []
