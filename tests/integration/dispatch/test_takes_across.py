"""Many small batches whose takes are all refused: none reaches the limit, all of them together do. Both databases."""

from __future__ import annotations

from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.dispatcher_harness import Stage
from tests.factories import MODEL
from tests.integration.dispatch.test_take_holds import (
    BAD,
    GOOD,
    all_bad,
    all_good,
    held,
    jobs_of,
    paid_until_still,
    resume,
    stage,
)
from worker.store import lane_takes
from worker.store.queries import holds

__all__ = ["stage"]

SLOTS = 4


def small_batches(stage: Stage, count: int, jobs: int = 1, **columns: object) -> dict[UUID, list[UUID]]:
    """The jobs of each batch."""
    made = [stage.batch(**columns) for _ in range(count)]
    return {batch: jobs_of(stage, batch, jobs, **columns) for batch in made}


@pytest.mark.parametrize("jobs", [1, 3])
def test_small_batches_are_held_together(stage: Stage, jobs: int) -> None:
    """No more than the limit is paid for, and what was under way; the rest stays queued."""
    stage.slots(SLOTS)
    batches = small_batches(stage, 60 // jobs, jobs)
    paid = paid_until_still(stage, stage.dispatcher(), all_bad, at_once=1)
    assert 20 <= len(paid) <= 20 + 2 * SLOTS
    rest = [job for made in batches.values() for job in made if job not in paid]
    assert set(stage.status(*rest)) == {JobStatus.QUEUED}
    assert held(stage)
    with stage.database.read() as connection:
        message = next(hold.message for hold in holds.holds(connection, now=stage.now()) if "takes:" in hold.name)
    assert "20 paid takes of other jobs refused in a row; the latest: silent." in message
    assert "`ttsq batch resume" in message


def test_one_accepted_take_of_a_resumed_batch_releases_all(stage: Stage) -> None:
    """Nothing more has to be done by hand."""
    stage.slots(SLOTS)
    batches = small_batches(stage, 60)
    leader = stage.dispatcher()
    paid = paid_until_still(stage, leader, all_bad, at_once=1)
    waiting = [batch for batch, made in batches.items() if made[0] not in paid]
    assert paid_until_still(stage, leader, all_good) == []
    assert resume(stage, waiting[0])
    assert set(paid_until_still(stage, leader, all_good)) == {batches[batch][0] for batch in waiting}
    assert held(stage) == []


def test_a_resumed_batch_with_another_refusal_releases_none(stage: Stage) -> None:
    """It buys its own few takes."""
    stage.slots(SLOTS)
    batches = small_batches(stage, 40)
    leader = stage.dispatcher()
    paid = paid_until_still(stage, leader, all_bad, at_once=1)
    waiting = [batch for batch, made in batches.items() if made[0] not in paid]
    assert resume(stage, waiting[0])
    assert paid_until_still(stage, leader, all_bad) == batches[waiting[0]]
    assert set(stage.status(*(batches[batch][0] for batch in waiting[1:]))) == {JobStatus.QUEUED}


def test_batches_with_accepted_takes_go_on(stage: Stage) -> None:
    """They are no part of it, and as long as they speak, no batch is held."""
    stage.slots(SLOTS)
    proven = stage.batch()
    first = jobs_of(stage, proven, 1)
    leader = stage.dispatcher()
    assert paid_until_still(stage, leader, all_good) == first
    small_batches(stage, 40)
    paid_until_still(stage, leader, all_bad, at_once=1)
    more = jobs_of(stage, proven, 5)
    assert set(more) <= set(paid_until_still(stage, leader, lambda job: GOOD if job in more else BAD))


def test_one_batch_alone_holds_no_other(stage: Stage) -> None:
    """However many of its takes are refused."""
    stage.slots(SLOTS)
    bad = stage.batch()
    ours = set(jobs_of(stage, bad, 60))
    leader = stage.dispatcher()
    paid_until_still(stage, leader, all_bad)
    assert held(stage) == [f"takes:{bad}:{MODEL}"]
    others = [job for made in small_batches(stage, 10).values() for job in made]
    paid = paid_until_still(stage, leader, lambda job: BAD if job in ours else GOOD)
    assert set(others) <= set(paid)


def test_another_tenant_and_another_model_are_not_held(stage: Stage) -> None:
    """The count is one tenant's, of one model."""
    stage.slots(SLOTS)
    small_batches(stage, 40, tenant="acme")
    leader = stage.dispatcher()
    paid_until_still(stage, leader, all_bad, at_once=1)
    batch = stage.batch(tenant="acme")
    others = [
        *(job for made in small_batches(stage, 3).values() for job in made),
        *jobs_of(stage, batch, 3, tenant="acme", model="gemini-2.5-flash-tts"),
    ]
    assert set(paid_until_still(stage, leader, all_good)) == set(others)


def test_the_count_of_all_lanes_outlives_its_leader_and_is_no_hold_of_its_own(stage: Stage) -> None:
    """A new leader holds what it meets; the row itself is not listed."""
    stage.slots(SLOTS)
    batches = small_batches(stage, 60)
    paid = paid_until_still(stage, stage.dispatcher(), all_bad, at_once=1)
    stage.lapse()
    assert paid_until_still(stage, stage.dispatcher(), all_good) == []
    names = set(held(stage))
    assert names <= {f"takes:{batch}:{MODEL}" for batch, made in batches.items() if made[0] not in paid}
    with stage.database.read() as connection:
        every = lane_takes.load(connection, [(lane_takes.EVERY_LANE, "default", MODEL)])
    assert [count.held_at is not None for count in every.values()] == [True]
