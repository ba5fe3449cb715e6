"""A worker that differs from the others in what must be alike isn't given the lead."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.dispatcher_harness import Stage
from worker.store.database import Database


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database."""
    return Stage(database)


def test_an_odd_worker_leaves_the_lead_to_another(stage: Stage) -> None:
    """It takes none, releases what it has, and leads only where no other can."""
    first, second = stage.worker(), stage.worker()
    odd: set[UUID] = {first}
    one, two = stage.dispatcher(me=first), stage.dispatcher(me=second)
    for dispatcher in (one, two):
        dispatcher.odd = lambda: odd
    assert not one.run_once().leads
    assert two.run_once().leads
    odd.clear()
    assert two.run_once().leads
    odd.add(second)
    assert not two.run_once().leads
    assert one.run_once().leads
    odd |= {first, second}
    assert one.run_once().leads


def test_an_odd_worker_leads_where_it_is_alone(stage: Stage) -> None:
    """Its jobs would not start otherwise."""
    alone = stage.worker()
    stage.worker(stopping=True)
    job = stage.job()
    leader = stage.dispatcher(me=alone)
    leader.odd = lambda: {alone}
    assert leader.run_once().leads
    assert stage.post.collect() == [job]
