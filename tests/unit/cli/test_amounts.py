"""Amounts and dates as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from worker.cli.console.errors import BadOptionError
from worker.cli.console.format import dollars
from worker.cli.money import spend


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1", "1"), ("2.50", "2.5"), ("$3", "3"), (" 0.0067 ", "0.0067"), ("1e3", "1000"), ("1000000", "1000000")],
)
def test_amounts_are_taken_exactly(text: str, amount: str) -> None:
    """With a dollar sign or without."""
    assert dollars("--max-cost", text) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not an amount of money"),
        ("much", "is not an amount of money"),
        ("nan", "is not an amount of money"),
        ("inf", "is not an amount of money"),
        ("1,50", "is not an amount of money"),
        ("0", "is not above 0"),
        ("-2", "is not above 0"),
        ("1000000.01", "exceeds $1,000,000"),
        ("1e99", "exceeds $1,000,000"),
        ("0.0000000000001", "is finer than a picodollar"),
        ("1.0000000000000000000000000000001", "is finer than a picodollar"),
    ],
)
def test_what_is_no_amount_is_named_with_what_would_be_one(text: str, words: str) -> None:
    """The option, what was given, and an example."""
    with pytest.raises(BadOptionError) as caught:
        dollars("--max-cost", text)
    assert caught.value.message == f'--max-cost: "{text}" {words}'
    assert caught.value.remedy


def test_days_and_months_are_stretches_of_utc() -> None:
    """From their first moment up to the first one after them, over the ends of months, years and February."""
    assert spend.beginning("--since", "2026-11-30") == datetime(2026, 11, 30, tzinfo=UTC)
    assert spend.end("--until", "2026-11-30") == datetime(2026, 12, 1, tzinfo=UTC)
    assert spend.beginning("--since", "2026-12") == datetime(2026, 12, 1, tzinfo=UTC)
    assert spend.end("--until", "2026-12") == datetime(2027, 1, 1, tzinfo=UTC)
    assert spend.end("--until", "2028-2") == datetime(2028, 3, 1, tzinfo=UTC)
    assert spend.beginning("--since", None) is spend.end("--until", None) is None


@pytest.mark.parametrize(
    "text", ["", "today", "2026", "2026-13", "2026-02-30", "2026-11-30T10:00", "0000-01", "9999-12-31"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    """With both forms that are taken."""
    with pytest.raises(BadOptionError) as caught:
        spend.end("--until", text)
    assert caught.value.message.startswith(f'--until: "{text}" is ')
    assert "2026-11-30" in caught.value.remedy
