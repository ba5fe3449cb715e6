"""The figures for machines, and the exit code that goes with them."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from decimal import Decimal

import pytest

from api_models.status import JobStatus
from tests.factories import NOW
from worker.cli.console.exits import Exit
from worker.cli.snapshot import Snapshot, amount, report, stamp
from worker.store.queries.holds import Hold
from worker.store.queries.jobs import Counts


def snapshot(**by_status: int) -> Snapshot:
    """A snapshot with these counts per state."""
    counts = Counts({JobStatus(name): count for name, count in by_status.items()}, 2, Decimal("0.0000067"))
    return Snapshot(counts, 0, (), NOW)


def test_the_keys_are_the_promised_ones_in_their_order() -> None:
    """Scripts go by them."""
    found = report(snapshot(succeeded=5, failed=1, cancelled=2), batch="b", seconds=1.23456)
    assert json.loads(json.dumps(found)) == {
        "batch": "b",
        "total": 8,
        "succeeded": 5,
        "failed": 1,
        "cached": 2,
        "cancelled": 2,
        "held": 0,
        "hold": None,
        "cost": "0.0000067",
        "seconds": 1.235,
    }
    keys = "batch total succeeded failed cached cancelled held hold cost seconds"
    assert " ".join(found) == keys


def test_the_first_hold_is_the_one_reported() -> None:
    """With times in UTC, or null where they aren't known."""
    holds = (Hold("account", "bad_key", "no", NOW, None), Hold("pace", "rate_limited", "slow", None, NOW))
    found = report(Snapshot(Counts({JobStatus.QUEUED: 3}), 3, holds, NOW), batch=None, seconds=0)
    assert found["batch"] is None
    assert found["held"] == 3
    assert found["hold"] == {
        "name": "account",
        "code": "bad_key",
        "message": "no",
        "since": "2026-11-21T10:00:00Z",
        "until": None,
    }


@pytest.mark.parametrize(
    ("dollars", "text"),
    [("0", "0"), ("0E-12", "0"), ("1E+3", "1000"), ("0.000000000001", "0.000000000001"), ("12.50", "12.5")],
)
def test_amounts_are_exact_and_never_in_exponents(dollars: str, text: str) -> None:
    """A decimal string that any language reads."""
    assert amount(Decimal(dollars)) == text


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    """ISO 8601, ending in Z."""
    assert stamp(NOW.astimezone(timezone(timedelta(hours=2)))) == "2026-11-21T10:00:00Z"
    assert stamp(None) is None


@pytest.mark.parametrize(
    ("by_status", "code"),
    [
        ({"succeeded": 3}, Exit.DONE),
        ({"succeeded": 2, "failed": 1}, Exit.SOME_FAILED),
        ({"succeeded": 2, "cancelled": 1}, Exit.SOME_FAILED),
        ({"succeeded": 2, "expired": 1}, Exit.SOME_FAILED),
    ],
)
def test_only_a_complete_run_ends_with_zero(by_status: dict[str, int], code: Exit) -> None:
    """Whatever else became of a job, its audio isn't there."""
    assert snapshot(**by_status).all_finished
    assert snapshot(**by_status).exit_code is code


def test_an_expired_job_counts_as_failed() -> None:
    """It wasn't cancelled, and it has no audio."""
    assert report(snapshot(succeeded=1, failed=1, expired=2), batch=None, seconds=0)["failed"] == 3
