"""The breaker: a dead upstream opens it within a few calls, calls that fail now and then never do."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from api_models.verdict import VerdictKind
from tests.factories import NOW, an_ended
from worker.dispatch.gates import circuit_breaker
from worker.dispatch.gates.circuit_breaker import Record
from worker.store.queries.attempts import Ended

SECOND = timedelta(seconds=1)


def failure(at: datetime = NOW, code: str = "server_error") -> Ended:
    """A call that the upstream failed."""
    return an_ended(verdict=VerdictKind.RETRY, code=code, finished_at=at)


def success(at: datetime = NOW) -> Ended:
    """A call that it served."""
    return an_ended(finished_at=at)


def recorded(*news: Ended) -> Record:
    """The record of a model's calls."""
    record: Record = ()
    for ended in news:
        record = circuit_breaker.after(record, ended)
    return record


def calls_until_it_trips(failing_share: float, *, per_minute: float, most: int, seed: int = 1) -> int | None:
    """How many calls it takes when each fails at random; None where `most` are not enough.

    Its score is carried from call to call: a walk over the record, for each of a million calls, would take minutes.
    """
    rng, score, zero_at = random.Random(seed), 0, 0
    for number in range(1, most + 1):
        failed = rng.random() < failing_share
        score = score + circuit_breaker.FAILED_WEIGHT if failed else max(0, score + circuit_breaker.SERVED_WEIGHT)
        zero_at = number if score == 0 else zero_at
        within = (number - zero_at) * 60 / per_minute <= circuit_breaker.WINDOW_SECONDS
        if score >= circuit_breaker.TRIP_AT and within:
            return number
    return None


def test_a_dead_upstream_trips_within_25_calls() -> None:
    """Not before its twentieth failure in a row."""
    assert not circuit_breaker.trips(recorded(*[failure()] * 19), NOW)
    assert circuit_breaker.trips(recorded(*[failure()] * 20), NOW)


def test_it_makes_no_difference_how_well_it_did_before() -> None:
    """A thousand calls served in the same minute don't hide that it is dead now."""
    assert circuit_breaker.trips(recorded(*[success()] * 1_000, *[failure()] * 20), NOW)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_calls_that_fail_at_random_never_trip_it(share: float) -> None:
    """A million calls, three in ten of them failing, at any rate."""
    assert calls_until_it_trips(share, per_minute=1e9, most=1_000_000) is None


@pytest.mark.parametrize("seed", range(5))
def test_an_upstream_that_fails_nine_calls_in_ten_trips_it_soon(seed: int) -> None:
    """Within a hundred calls or two."""
    number = calls_until_it_trips(0.9, per_minute=1_000, most=10_000, seed=seed)
    assert number is not None
    assert number < 200


def test_the_walk_over_a_record_and_the_running_score_agree() -> None:
    """For calls that fail two times in three, in one long row."""
    record: Record = ()
    rng, score = random.Random(2), 0
    for _ in range(5_000):
        ended = failure() if rng.random() < 0.7 else success()
        record = circuit_breaker.after(record, ended)
        score = score + 1 if ended.verdict is VerdictKind.RETRY else max(0, score - 3)
        assert circuit_breaker.trips(record, NOW) == (score >= circuit_breaker.TRIP_AT)
        if score >= circuit_breaker.TRIP_AT:
            score, record = 0, ()


def test_old_failures_are_forgotten() -> None:
    """Twenty failures in an hour are no broken upstream; the same within a minute are."""
    slowly = [failure(NOW - number * 180 * SECOND) for number in reversed(range(20))]
    quickly = [failure(NOW - number * 3 * SECOND) for number in reversed(range(20))]
    assert not circuit_breaker.trips(recorded(*slowly), NOW)
    assert circuit_breaker.trips(recorded(*quickly), NOW)
    assert not circuit_breaker.trips(recorded(*quickly), NOW + 60 * SECOND)


@pytest.mark.parametrize(
    "code", ["server_error", "bad_gateway", "gateway_timeout", "timeout", "connection", "unreachable"]
)
def test_what_the_upstream_failed_counts(code: str) -> None:
    """Server errors, gateways, timeouts, resets, and an API that can't be reached."""
    assert circuit_breaker.trips(recorded(*[failure(code=code)] * 20), NOW)


@pytest.mark.parametrize("verdict", sorted(set(VerdictKind) - circuit_breaker.SERVED - {VerdictKind.RETRY}))
def test_what_says_nothing_of_the_upstream_is_left_out(verdict: VerdictKind) -> None:
    """Copies, jobs that were handed back, dead workers, refusals of the account."""
    before = recorded(*[failure()] * 19)
    assert circuit_breaker.after(before, an_ended(verdict=verdict)) == before


@pytest.mark.parametrize("code", sorted(circuit_breaker.OURS))
def test_our_own_errors_are_left_out(code: str) -> None:
    """An error in the worker is tried again too, and is no fault of the upstream."""
    assert recorded(failure(code=code)) == ()


def test_a_record_keeps_to_its_length() -> None:
    """However many calls there are."""
    assert len(recorded(*[success()] * 1_000)) == circuit_breaker.MAX_CALLS


def test_the_message_counts_the_last_minute() -> None:
    """Failed and served calls, for people."""
    record = recorded(failure(NOW - 90 * SECOND), success(), *[failure()] * 21)
    assert circuit_breaker.describe(record, NOW).startswith("21 of the latest 22 calls failed upstream")
