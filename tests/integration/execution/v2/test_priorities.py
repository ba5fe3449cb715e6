"""What an attempt over v2 does first, and what it keeps when something breaks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from tests.attempt_harness import PRICE, Workshop, as_it_came, client_of
from tests.integration.execution.v2.conftest import (
    QUEUED,
    RUN_TIMEOUT,
    SCHEDULED,
    SUCCEEDED,
    a_killed_job,
    runs_go_on,
    submitted,
)
from tests.integration.segmind_clients import Time
from worker.emulator.faults import Take
from worker.execution.heartbeat import FRESH_SECONDS
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt
from worker.segmind.answers import Answer
from worker.segmind.client import VersionedClient


def test_a_bad_take_is_resubmitted(shop: Workshop) -> None:
    """The run is finished and charged; only a new run can be better."""
    shop.script(take=Take.HEADER_ONLY, times=1)
    job = shop.job()
    first = shop.run(job)
    assert (first.status, first.takes_used, first.cost, first.request_id) == (QUEUED, 1, PRICE, None)
    row = shop.run(job)
    assert (row.status, row.cost, submitted(shop)) == (SUCCEEDED, 2 * PRICE, 2)


def test_a_stored_object_comes_before_everything(shop: Workshop, time: Time) -> None:
    """Stored, spooled, and polled for: the object is recorded as it is, without a request to the API."""
    source = shop.run(shop.job())
    job = a_killed_job(shop, time)
    spool_source(shop, job, b"RIFF and nothing more")
    claim = shop.claim(job)
    receipt = Receipt(Decimal("0.0042"), claim.request_id)
    made, cost = as_it_came(shop.file(source.id)), Cost(Decimal("0.0042"), estimated=False)
    put = shop.upload(claim, made, receipt, cost)
    shop.die()
    polls = shop.emulator.state(detail=False).polls
    row = shop.restarted().run(job)
    assert (row.status, row.uri, row.cost, row.request_id) == (SUCCEEDED, put.uri, Decimal("0.0042"), None)
    assert shop.emulator.state(detail=False).polls == polls


def test_a_spooled_answer_comes_before_a_poll(shop: Workshop, time: Time) -> None:
    """What lies on this disk need not be fetched again."""
    source = shop.run(shop.job())
    job = a_killed_job(shop, time)
    spool_source(shop, job, shop.file(source.id).read_bytes())
    polls = shop.emulator.state(detail=False).polls
    row = shop.restarted().run(job)
    assert (row.status, row.sha256, row.cost, row.request_id) == (SUCCEEDED, source.sha256, PRICE, None)
    assert shop.emulator.state(detail=False).polls == polls
    assert shop.spooled() == []


def spool_source(shop: Workshop, job: UUID, body: bytes) -> None:
    """The dead attempt's answer, as its worker kept it."""
    spooled = shop.spool.path_for(job, 1)
    spooled.write_bytes(body)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=PRICE, request_id=shop.row(job).request_id))


def test_what_was_submitted_comes_before_a_copy(shop: Workshop, time: Time) -> None:
    """The same words were bought for another job meanwhile: this job's own run is paid for, and is used."""
    job = a_killed_job(shop, time)
    with shop.database.begin() as connection:
        words = connection.execute(text("SELECT text FROM jobs")).scalar_one()
    other = shop.neighbour()
    twin = other.run(shop.job(text=words))
    row = other.run(job)
    assert (twin.status, row.status, row.cached, row.cost) == (SUCCEEDED, SUCCEEDED, False, PRICE)
    assert shop.emulator.state().billed == 2 * PRICE


def test_a_queue_that_went_back_to_v1_polls_what_it_had_submitted(shop: Workshop, time: Time) -> None:
    """And buys what it hadn't."""
    job = a_killed_job(shop, time)
    other = shop.neighbour()
    with closing(client_of(shop.emulator)) as blocking:
        other.client.client = VersionedClient("v1", blocking, shop.client.client)
        assert other.run(job).status == SUCCEEDED
        assert (submitted(shop), shop.bought()) == (1, 1)
        assert other.run(other.job()).status == SUCCEEDED
    assert (submitted(shop), shop.bought()) == (1, 2)


def rename(shop: Workshop, old: str, new: str) -> Callable[[], None]:
    """A table is gone, or back."""

    def change() -> None:
        with shop.database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    return change


def test_a_handle_is_written_down_however_long_the_database_is_away(shop: Workshop) -> None:
    """Nothing is polled meanwhile, and nothing is lost."""
    job = shop.job()
    shop.client.before_keeping = rename(shop, "jobs", "away")
    shop.waits.steps = [lambda: None, rename(shop, "away", "jobs")]
    row = shop.run(job)
    assert (row.status, row.cost, submitted(shop)) == (SUCCEEDED, PRICE, 1)
    assert shop.waits.waited == [0.2, 0.5]


def test_a_handle_that_could_not_be_written_down_is_in_doubt(shop: Workshop) -> None:
    """The worker has to leave while the database is away: the ledger names the run, and that it may be billed."""
    job = shop.job()
    shop.client.before_keeping = rename(shop, "jobs", "away")
    back = rename(shop, "away", "jobs")

    def leave() -> None:
        shop.waits.set()
        shop.clock.seconds += FRESH_SECONDS
        back()

    shop.waits.steps = [leave]
    row = shop.run(job)
    (attempt,) = shop.books(job)
    assert (row.status, row.request_id, row.attempts_used, row.recover) == (SCHEDULED, None, 0, True)
    assert (attempt.code, attempt.possibly_billed) == ("database_trouble", True)
    assert attempt.request_id == shop.emulator.state().bill[0].request_id


def test_a_disk_error_leaves_the_run_to_the_next_attempt(shop: Workshop) -> None:
    """The audio could not be kept here: its run is followed, so nothing is in doubt and nothing paid twice."""
    job = shop.job()
    shop.client.before_keeping = lambda: shutil.rmtree(shop.spool.folder)
    row = shop.run(job)
    (attempt,) = shop.books(job)
    assert (row.status, row.code, row.attempts_used) == (SCHEDULED, "spool_trouble", 0)
    assert (attempt.cost, attempt.possibly_billed) == (0, False)
    shop.spool.prepare()
    row = shop.run(job)
    assert (row.status, row.cost, submitted(shop)) == (SUCCEEDED, PRICE, 1)


def test_polls_come_quickly_and_then_steadily(shop: Workshop, time: Time) -> None:
    """Two seconds growing to five, for as long as one attempt may poll."""
    runs_go_on(shop)
    shop.run(shop.job())
    assert time.waits[:4] == [2.0, 3.0, 4.5, 5.0]
    assert set(time.waits[3:]) == {5.0}
    assert RUN_TIMEOUT - 5 <= sum(time.waits) <= RUN_TIMEOUT


def test_many_runs_are_followed_side_by_side(shop_on_both: Workshop) -> None:
    """Twenty jobs on ten threads: each finds its own run, and no row keeps a handle."""
    shop = shop_on_both
    jobs = [shop.job() for _ in range(20)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(shop.executor.run, jobs, [0] * len(jobs)))
    rows = [shop.row(job) for job in jobs]
    assert {(row.status, row.request_id) for row in rows} == {(SUCCEEDED, None)}
    assert len({shop.books(job)[0].request_id for job in jobs}) == submitted(shop) == len(jobs)
