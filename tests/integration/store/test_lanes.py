"""Reads of the dispatcher and of claims: due jobs, lanes, twins and news of attempts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Final

import pytest
from sqlalchemy import insert, text

from api_models.verdict import VerdictKind
from tests.factories import (
    NOW,
    SHA256,
    a_settlement,
    add_batch,
    add_job,
    add_worker,
    attempt_row,
    job_row,
    stored,
)
from tests.integration.store.claimed_jobs import (
    CANCELLED,
    FAILED,
    HOLDER,
    LATER,
    SUCCEEDED,
    D,
    Q,
    R,
    S,
    claimed,
)
from worker.store.database import Database
from worker.store.queries import attempts
from worker.store.tables.jobs import Attempt
from worker.store.transitions import (
    actions,
    dispatches,
    rescues,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)

SECOND: Final = timedelta(seconds=1)


def test_promotion_and_expiry_wait_for_their_time(database: Database) -> None:
    """A moment early nothing happens."""
    with database.begin() as connection:
        for status in (S, Q, D):
            add_job(connection, status=status, not_before=LATER, deadline=LATER)
        early = LATER - timedelta(microseconds=1)
        assert dispatches.promote(connection, now=early) == 0
        assert dispatches.expire(connection, now=early) == 0
        assert dispatches.expire(connection, now=LATER) == 3


def test_bulk_changes_go_in_pieces(database: Database) -> None:
    """However many are due, one statement changes a bounded number."""
    with database.begin() as connection:
        actions.submit(connection, (job_row(status=S) for _ in range(dispatches.ROWS_PER_STATEMENT + 5)))
        assert dispatches.promote(connection, now=LATER) == dispatches.ROWS_PER_STATEMENT
        assert dispatches.promote(connection, now=LATER) == 5


def test_lanes_are_found_the_most_urgent_first(database: Database) -> None:
    """With more lanes than are looked at, those left out are the least urgent."""
    with database.begin() as connection:
        for priority in range(-3, 4):
            for tenant in ("ann", "bob"):
                add_job(connection, priority=priority, tenant=tenant)
                add_job(connection, priority=priority, tenant=tenant)
        add_job(connection, status=S, priority=9)
        found = dispatches.lanes(connection, most=5)
        assert len(dispatches.lanes(connection, most=100)) == 14
    assert [lane.priority for lane in found] == [3, 3, 2, 2, 1]


@pytest.mark.parametrize("joins", [*combinations(("nestloop", "hashjoin", "mergejoin"), 2)])
def test_lanes_are_found_in_order_however_postgresql_plans(on_postgresql: Database, joins: tuple[str, ...]) -> None:
    """With statistics of any kind; the most urgent go out first, and are those that are looked at."""
    with on_postgresql.begin() as connection:
        for priority in range(5):
            for paused_at in (None, NOW, None):
                add_job(connection, priority=priority, batch_id=add_batch(connection, paused_at=paused_at))
        for join in joins:
            connection.execute(text(f"SET LOCAL enable_{join} = off"))
        found = dispatches.lanes(connection, most=50)
        assert [lane.priority for lane in found] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
        assert dispatches.lanes(connection, most=3) == found[:3]
        assert dispatches.lanes(connection, most=3, after=found[2]) == found[3:6]


def test_heads_of_a_lane_are_in_submission_order(database: Database) -> None:
    """And only those of that lane that are queued."""
    with database.begin() as connection:
        jobs = [add_job(connection) for _ in range(5)]
        add_job(connection, tenant="other")
        add_job(connection, status=D)
        (lane, _) = sorted(dispatches.lanes(connection, most=9))
        assert [head.job_id for head in dispatches.heads(connection, lane, most=3)] == jobs[:3]
        assert [head.job_id for head in dispatches.heads(connection, lane, most=9)] == jobs
        assert [head.job_id for head in dispatches.heads(connection, lane, most=2, behind=jobs[2])] == jobs[3:]


def test_the_heads_of_several_lanes_are_those_of_each(database: Database) -> None:
    """Of each no more than asked for, in its order; nothing of a lane that was not asked for."""
    with database.begin() as connection:
        for number in range(6):
            for priority, tenant in ((0, "ann"), (3, "ann"), (0, "bob"), (-2, "cy")):
                add_job(connection, priority=priority, tenant=tenant, use_cache=number % 2 == 0)
        add_job(connection, status=D, tenant="ann")
        _, *asked = dispatches.lanes(connection, most=9)
        found = dispatches.heads_of_each(connection, asked, most=4)
        assert found == {lane: dispatches.heads(connection, lane, most=4) for lane in asked}
        contents = [job.content for jobs in found.values() for job in jobs]
        assert len(contents) == 3 * 4
        assert contents.count(None) == 3 * 2


@pytest.mark.parametrize("use_cache", [True, False])
def test_the_twin_of_a_text_is_the_job_that_bought_it(database: Database, use_cache: bool) -> None:
    """Among many successes only the same content counts, and none for a job that asks for a fresh take."""
    with database.begin() as connection:
        for word in ("one", "two", "three"):
            add_job(connection, status=SUCCEEDED, text=f"Number {word}.")
        bought = add_job(connection, status=SUCCEEDED, text="The same words.")
        add_job(connection, status=FAILED, text="The same words.")
        claim = claimed(connection, add_job(connection, text="The same words.", use_cache=use_cache))
    assert claim.twin == (bought if use_cache else None)


def test_different_texts_are_no_twins(database: Database) -> None:
    """A text that was never bought has no twin, nor one whose twins only failed."""
    with database.begin() as connection:
        add_job(connection, status=SUCCEEDED, text="Something else.")
        for status in (FAILED, CANCELLED, Q, D, R):
            add_job(connection, status=status, text="New words.", worker_id=HOLDER)
        assert claimed(connection, add_job(connection, text="New words.")).twin is None
        assert claimed(connection, add_job(connection, text="New words.", voice_1="Puck")).twin is None


def test_bought_audio_is_that_of_a_success(database: Database) -> None:
    """A job that was retried or failed meanwhile has none to copy."""
    with database.begin() as connection:
        one = add_job(connection, status=SUCCEEDED, cost=Decimal("0.0067"))
        others = [add_job(connection, status=SUCCEEDED), add_job(connection, status=FAILED)]
        [found] = job_claims.bought(connection, [one, *others], stored(connection, one).fingerprint)
    sound = "file:///audio/1.wav", "audio/wav", 48_044, SHA256, 1_000, Decimal("0.0067")
    assert found == job_claims.Bought("default", None, *sound)


def test_news_are_read_once_oldest_first(database: Database) -> None:
    """Each ended attempt reaches one dispatcher, in the order of the ends."""
    with database.begin() as connection:
        claims = [claimed(connection, add_job(connection)) for _ in range(3)]
        for claim, seconds in zip(claims, (30, 10, 20), strict=True):
            job_settlement.settle(connection, claim, a_settlement(Q), now=NOW + timedelta(seconds=seconds))
        news = attempts.take_news(connection)
        assert attempts.take_news(connection) == []
    assert [(ended.finished_at - NOW).seconds for ended in news] == [10, 20, 30]
    assert {ended.verdict for ended in news} == {VerdictKind.GATE}


def test_the_news_of_one_job_wait_their_turn_like_others(database: Database) -> None:
    """Of a job that ended often, a look takes as many attempts as of anybody, the oldest first, and each once."""
    rows = attempts.ROWS_PER_POLL + 1
    with database.begin() as connection:
        news = [attempt_row(job_id=HOLDER, number=number, finished_at=NOW + number * SECOND) for number in range(rows)]
        connection.execute(insert(Attempt), news)
        looks = [attempts.take_news(connection) for _ in range(3)]
    assert [len(look) for look in looks] == [attempts.ROWS_PER_POLL, 1, 0]
    assert [ended.finished_at for look in looks for ended in look] == [row["finished_at"] for row in news]


def test_many_news_are_read_in_pieces(database: Database) -> None:
    """A backlog of ended attempts is read over several looks, none left out."""
    with database.begin() as connection:
        worker = add_worker(connection)
        rows = [job_row(status=R, worker_id=worker) for _ in range(attempts.ROWS_PER_POLL + 10)]
        actions.submit(connection, rows)
        rescues.rescue(connection, [worker], max_attempts=5, now=LATER)
        assert [len(attempts.take_news(connection)) for _ in range(3)] == [attempts.ROWS_PER_POLL, 10, 0]
