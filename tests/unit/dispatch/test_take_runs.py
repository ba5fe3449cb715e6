"""When refused takes hold a lane, and what it may start before its first accepted one: pure decisions."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import reduce
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from api_models.verdict import VerdictKind
from tests.factories import MODEL, NOW, a_lane, an_ended
from worker.dispatch.gates import take_runs
from worker.dispatch.gates.take_runs import RESUMED_TAKES, rations
from worker.store.lane_takes import TakeCount
from worker.store.queries.attempts import Ended
from worker.store.transitions.dispatches import Lane

LIMIT = 20
LANE = uuid7()
FRESH = TakeCount(LANE, "default", MODEL)
GOOD = an_ended(verdict=VerdictKind.SUCCESS)
BAD = an_ended(verdict=VerdictKind.BAD_TAKE, code="bad_audio", message="silent")
FILTERED = an_ended(verdict=VerdictKind.REFUSED, code="content_refused", message="filtered")
NOTHING = Decimal(0)


def count(*ended: Ended, begin: TakeCount = FRESH, limit: int = LIMIT) -> TakeCount:
    """The count after these attempts."""
    return reduce(lambda found, one: take_runs.after(found, one, limit=limit, now=NOW), ended, begin)


def test_a_run_of_refused_takes_holds() -> None:
    """And one fewer doesn't; the latest words are kept."""
    assert count(*[BAD] * (LIMIT - 1)).held_at is None
    held = count(*[BAD] * LIMIT)
    assert (held.held_at, held.refused, held.code, held.message) == (NOW, LIMIT, "bad_audio", "silent")


def test_mixed_reasons_hold_as_well() -> None:
    """What the takes were refused for makes none of them any cheaper."""
    assert count(*[BAD, FILTERED] * (LIMIT // 2)).held_at == NOW


def test_one_accepted_take_resets_the_run() -> None:
    """However many were refused before."""
    found = count(*[BAD] * (LIMIT - 1), GOOD, *[BAD] * (LIMIT - 1))
    assert (found.held_at, found.accepted, found.refused) == (None, True, LIMIT - 1)


@pytest.mark.parametrize("code", ["suspect_audio", "takes_agree"])
def test_takes_that_are_used_although_suspicious_hold_as_well(code: str) -> None:
    """They are no evidence that the batch's takes say their texts, whichever way the suspicion ended."""
    doubtful = an_ended(verdict=VerdictKind.SUCCESS, code=code, message="a sentence is missing")
    suspect = an_ended(verdict=VerdictKind.BAD_TAKE, code="suspect_audio", message="a sentence is missing")
    held = count(*[suspect, doubtful] * (LIMIT // 2))
    assert (held.held_at, held.accepted, held.code) == (NOW, False, code)
    assert count(*[suspect, doubtful] * (LIMIT // 2 - 1), GOOD, suspect, doubtful).held_at is None
    overall = take_runs.across(held, doubtful, limit=LIMIT, now=NOW)
    assert overall.held_at == NOW


def test_what_is_held_stays_held() -> None:
    """Calls in flight end after the hold: they are counted, and an accepted one among them doesn't resume the rest."""
    found = count(GOOD, BAD, begin=count(*[BAD] * LIMIT))
    assert (found.held_at, found.refused) == (NOW, LIMIT + 1)


@pytest.mark.parametrize("seed", range(5))
def test_three_bad_takes_in_ten_never_hold(seed: int) -> None:
    """Over 5,000 takes of each of five batches."""
    rng = random.Random(seed)
    found = FRESH
    for _ in range(5_000):
        found = take_runs.after(found, BAD if rng.random() < 0.3 else GOOD, limit=LIMIT, now=NOW)
        assert found.held_at is None


def test_a_resumed_lane_may_try_a_few() -> None:
    """If they are refused as well it is held again; one accepted take resets the count."""
    resumed = TakeCount(LANE, "default", MODEL, resumed=True)
    assert count(*[BAD] * (RESUMED_TAKES - 1), begin=resumed).held_at is None
    assert count(*[BAD] * RESUMED_TAKES, begin=resumed).held_at == NOW
    assert count(GOOD, *[BAD] * (LIMIT - 1), begin=resumed).held_at is None


@pytest.mark.parametrize(
    "ended",
    [
        an_ended(verdict=VerdictKind.BAD_TAKE, cost=NOTHING),
        an_ended(verdict=VerdictKind.RETRY, code="run_failed"),
        an_ended(verdict=VerdictKind.RETRY, code="server_error"),
        an_ended(verdict=VerdictKind.REFUSED, code="invalid_request"),
        an_ended(verdict=VerdictKind.GATE, code="insufficient_credits"),
        an_ended(verdict=VerdictKind.RETRY, code="run_failed", cost=NOTHING, possibly_billed=True),
        an_ended(verdict=VerdictKind.RETRY, code="unreadable_answer", cost=NOTHING, possibly_billed=True),
        an_ended(verdict=VerdictKind.REFUSED, code="content_refused", cost=NOTHING, possibly_billed=True),
    ],
)
def test_whatever_is_paid_without_good_audio_counts(ended: Ended) -> None:
    """Whether its price was named, or it was answered as a success without one."""
    assert take_runs.is_refused(ended)


@pytest.mark.parametrize(
    "ended",
    [
        GOOD,
        an_ended(verdict=VerdictKind.CACHED, cost=NOTHING),
        an_ended(verdict=VerdictKind.RETRY, code="server_error", cost=NOTHING),
        an_ended(verdict=VerdictKind.RETRY, code="run_failed", cost=NOTHING),
        an_ended(verdict=VerdictKind.RETRY, code="timeout", cost=NOTHING, possibly_billed=True),
        an_ended(verdict=VerdictKind.RETRY, code="internal_error"),
        an_ended(verdict=VerdictKind.RELEASED, code="store_trouble"),
        an_ended(verdict=VerdictKind.LATE),
        an_ended(verdict=VerdictKind.REFUSED, code="invalid_request", cost=NOTHING),
        an_ended(verdict=VerdictKind.PACE, code="rate_limited", cost=NOTHING),
    ],
)
def test_what_was_not_paid_or_not_lost_does_not_count(ended: Ended) -> None:
    """Outages, limits, and audio that the next attempt finds in the spool."""
    assert not take_runs.is_refused(ended)
    assert count(*[ended] * 100).held_at is None


def test_a_copy_proves_nothing() -> None:
    """It was bought before, so the run of refusals continues."""
    copy = an_ended(verdict=VerdictKind.CACHED, cost=NOTHING)
    assert count(*[BAD] * (LIMIT - 1), copy, BAD).held_at == NOW


def lane(of: UUID = LANE, priority: int = 0) -> Lane:
    """A lane of that batch."""
    return a_lane(lane=of, tenant="default", model=MODEL, priority=priority)


@given(slots=st.integers(1, 200), refused=st.integers(0, 19), flying=st.integers(0, 200), resumed=st.booleans())
def test_before_the_first_accepted_take_no_more_start_than_the_bound(
    slots: int, refused: int, flying: int, resumed: bool
) -> None:
    """What was refused, what is under way and what starts stay within it, over all priorities of the lane."""
    found = TakeCount(LANE, "default", MODEL, refused=refused, resumed=resumed)
    served = rations({found.key: found}, {found.key: flying}, limit=LIMIT, slots=slots)
    started = 0
    while served.allows(lane(priority=started % 3)) and started < 500:
        served.serve(lane(priority=started % 3))
        started += 1
    most = RESUMED_TAKES if resumed else max(LIMIT, slots)
    assert started == max(0, most - refused - flying)


def test_other_lanes_are_not_rationed() -> None:
    """A batch that has had an accepted take, and one of which nothing is known here."""
    accepted = TakeCount(LANE, "default", MODEL, accepted=True, refused=5)
    served = rations({accepted.key: accepted}, {accepted.key: 1_000}, limit=LIMIT, slots=1)
    assert served.allows(lane())
    assert served.allows(lane(uuid7()))
