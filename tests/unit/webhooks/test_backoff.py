"""What follows from a receiver's answer."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.factories import NOW
from worker.webhooks.backoff import DELAYS_SECONDS, JITTER, MAX_TRIES, Next, NextStep, after


def follows(status: int | None, tries: int = 1, asked: float | None = None) -> Next:
    """After an answer now."""
    return after(status=status, tries=tries, asked_seconds=asked, now=NOW, rng=random.Random(7))


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    """However often it took."""
    assert follows(status, MAX_TRIES) == Next(NextStep.DELIVERED)


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 400, 401, 404, 408, 429, 500, 502, 503])
def test_anything_else_is_tried_again(status: int | None) -> None:
    """A redirect is not followed; it is a failure like the rest."""
    found = follows(status)
    assert found.fate is NextStep.AGAIN
    assert found.at is not None
    assert found.at > NOW


def test_waits_grow_over_about_three_days() -> None:
    """Each longer than the one before or as long, with some jitter, until it is given up."""
    waits = []
    for tries in range(1, MAX_TRIES):
        found = follows(500, tries)
        assert found.at is not None
        waits.append((found.at - NOW).total_seconds())
    assert all(abs(wait / plan - 1) <= JITTER for wait, plan in zip(waits, DELAYS_SECONDS, strict=True))
    assert timedelta(days=2.5) < timedelta(seconds=sum(DELAYS_SECONDS)) < timedelta(days=3.5)
    assert follows(500, MAX_TRIES) == Next(NextStep.FAILED)


def test_a_pause_that_is_asked_for_is_kept() -> None:
    """Where it is longer than planned, and up to a day."""
    assert follows(503, asked=600).at == NOW + timedelta(seconds=600)
    assert follows(503, asked=10**9).at == NOW + timedelta(days=1)
    short = follows(503, asked=1).at
    assert short is not None
    assert short > NOW + timedelta(seconds=1)


def test_410_ends_it_for_good() -> None:
    """410 Gone is permanent."""
    assert follows(410) == Next(NextStep.FAILED)
