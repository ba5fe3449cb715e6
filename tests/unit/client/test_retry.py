"""When the client repeats a request: pure decisions."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from ttsq_client.retry import Retry, may_repeat, retry_after

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


def test_delays_grow_with_full_jitter_and_end() -> None:
    """Each lies between zero and the doubled bound, up to the largest; the last attempt has none."""
    retry, rng = Retry(attempts=8, base_seconds=1.0, max_seconds=8.0), random.Random(7)
    for attempt, bound in enumerate((1, 2, 4, 8, 8, 8, 8), start=1):
        delays = [retry.delay(attempt, None, rng) or 0.0 for _ in range(200)]
        assert 0 <= min(delays) < bound / 4
        assert bound * 3 / 4 < max(delays) <= bound
    assert retry.delay(8, None, rng) is None


def test_retry_after_is_the_least() -> None:
    """A longer one than the limit is an error for the caller."""
    retry, rng = Retry(), random.Random(7)
    assert (retry.delay(1, 7.0, rng) or 0.0) >= 7.0
    assert retry.delay(1, 61.0, rng) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Tue, 01 Dec 2026 08:00:09 GMT", 9.0),
        ("Tue, 01 Dec 2026 07:00:00 GMT", 0.0),
        ("9" * 400, 999_999_999.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("\u0667", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    """Anything else is none."""
    assert retry_after(value, NOW) == seconds


def test_what_may_be_paid_twice_is_repeated_after_refusals_only() -> None:
    """429 and 503 say that nothing was done."""
    assert [status for status in range(400, 600) if may_repeat(status, repeatable=False)] == [429, 503]
    repeated = [status for status in range(400, 600) if may_repeat(status, repeatable=True)]
    assert repeated == [408, 429, 500, 502, 503, 504]


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base_seconds": -1.0}, {"max_retry_after_seconds": -1.0}])
def test_impossible_limits_are_refused(wrong: dict[str, float]) -> None:
    """When they are made."""
    with pytest.raises(ValueError, match="attempts"):
        Retry(**wrong)  # type: ignore[arg-type]
