"""Attempts during errors of this machine, the store and the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from api_models.status import JobStatus
from tests.attempt_harness import BOUNDS, PRICE, During, Workshop
from tests.factories import stored
from tests.servers.postgres import Postgres
from worker.emulator.faults import Take
from worker.emulator.server import Emulator
from worker.segmind.v1 import ClientV1
from worker.store import account, schema
from worker.store.database import Database
from worker.store.transitions import claims

SUCCEEDED, FAILED, QUEUED, SCHEDULED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
)


# Errors of this machine, of the store, of the database.


def test_a_full_spool_buys_nothing(shop: Workshop) -> None:
    """The job goes back for a while, with no attempt used, and the ledger says what is wrong."""
    full = shop.neighbour()
    full.min_free_bytes = 2**62
    row = full.run(shop.job())
    assert (row.status, row.attempts_used, row.cost) == (SCHEDULED, 0, 0)
    assert "free some space" in row.message
    assert shop.emulator.state().calls == 0


def test_a_spool_that_cannot_be_written_buys_nothing(shop: Workshop) -> None:
    """A file stands where its folder was: found out before the call is paid for."""
    shutil.rmtree(shop.spool.folder)
    shop.spool.folder.write_text("in the way")
    job = shop.job()
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.code) == (SCHEDULED, 0, "spool_trouble")
    assert shop.emulator.state().calls == 0
    shop.spool.folder.unlink()
    shop.spool.prepare()
    assert shop.run(job).status == SUCCEEDED


def test_a_receipt_that_cannot_be_written_costs_nothing_extra(shop: Workshop) -> None:
    """The audio is there and paid for: it is delivered, and its cost is known, receipt or none."""
    job = shop.job()
    shop.client.event = lambda: shop.spool.path_for(job, 1).with_suffix(".receipt").symlink_to("nowhere/receipt")
    row = shop.run(job)
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert shop.bought() == 1


def test_an_outage_of_the_store_is_waited_for(shop_on_both: Workshop) -> None:
    """The storage gate closes, so that nothing more is bought; mended, it opens, and the take in hand is stored."""
    shop = shop_on_both
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    closed: list[list[str]] = []

    def mend() -> None:
        closed.append(shop.gates())
        (shop.folder / "away").rename(shop.audio)

    shop.waits.steps = [lambda: closed.append(shop.gates()), mend]
    row = shop.run(shop.job())
    assert closed == [["storage"], ["storage"]]
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert shop.gates() == []
    assert shop.bought() == 2


def test_a_take_that_waits_is_the_probe_of_its_store(shop_on_both: Workshop) -> None:
    """None is made while it tries by itself: a disk that is full for a take may have room for a probe."""
    shop = shop_on_both
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    probes_at: list[datetime] = []

    def look() -> None:
        with shop.database.read() as connection:
            (gate,) = account.closed_gates(connection)
            next_try_at = shop.database.now(connection) + timedelta(seconds=shop.waits.waited[-1])
        assert gate.next_probe_at > next_try_at
        probes_at.append(gate.next_probe_at)

    shop.waits.steps = [look] * 7 + [lambda: (shop.folder / "away").rename(shop.audio)]
    assert shop.run(shop.job()).status == SUCCEEDED
    assert probes_at == sorted(set(probes_at))
    assert shop.waits.waited == [0.5, 1, 2, 4, 8, 15, 15, 15]


def test_a_store_may_be_away_for_as_long_as_it_likes(shop: Workshop) -> None:
    """Six hours of tries, the last as good as the first."""
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    shop.waits.steps = [lambda: None] * 1_440 + [lambda: (shop.folder / "away").rename(shop.audio)]
    row = shop.run(shop.job())
    assert (row.status, row.attempts_used, shop.bought()) == (SUCCEEDED, 1, 2)


def test_a_worker_that_stops_during_an_outage_of_the_store_keeps_the_take(shop: Workshop) -> None:
    """Handed back with the audio in the spool, the job is finished by the next start without a second call."""
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    shop.waits.steps = [shop.waits.set]
    job = shop.job()
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.recover) == (QUEUED, 0, True)
    assert f"{job}.1.audio" in shop.spooled()
    shop.waits.clear()
    (shop.folder / "away").rename(shop.audio)
    row = shop.run(job)
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert shop.bought() == 2


def test_a_take_that_is_left_behind_is_paid_for_at_once(shop: Workshop) -> None:
    """Its worker stopped during an outage of the store, and another machine bought anew: both costs are recorded."""
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    shop.waits.steps = [shop.waits.set]
    job = shop.job()
    assert shop.run(job).cost == PRICE
    (shop.folder / "away").rename(shop.audio)
    row = shop.neighbour().run(job)
    assert (row.status, row.cost) == (SUCCEEDED, 2 * PRICE)
    assert shop.emulator.state().billed == 3 * PRICE


def test_an_unexpected_error_after_the_call_loses_no_audio(shop: Workshop) -> None:
    """The cost is owned up to, the answer stays in the spool, and the next attempt delivers it for nothing more."""
    shop.script(take=Take.HEADERLESS)
    job = shop.job()
    in_the_way = shop.spool.path_for(job, 1).with_name(f"{job}.1.wav.part")
    shop.client.event = in_the_way.mkdir
    row = shop.run(job)
    assert (row.status, row.code, row.cost, row.recover) == (SCHEDULED, "internal_error", PRICE, True)
    in_the_way.rmdir()
    row = shop.run(job)
    assert (row.status, row.cost, shop.bought()) == (SUCCEEDED, PRICE, 1)
    assert shop.spooled() == []


def test_an_unexpected_error_during_the_call_is_in_doubt(shop: Workshop) -> None:
    """How far the call got is unknown."""
    job = shop.job()
    shop.client.event = lambda: next(iter(()))
    assert shop.run(job).code == "internal_error"
    assert shop.books(job)[0].possibly_billed


def test_an_unexpected_error_ends_the_attempt(shop: Workshop) -> None:
    """An unexpected error uses up an attempt and is logged; the worker survives, and the job is queued again."""
    batch = shop.batch(output_url="ftp://nowhere/audio")
    job = shop.job(batch_id=batch, custom_id="a")
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.recover) == (SCHEDULED, 1, True)
    assert "ftp://nowhere/audio" in row.detail
    last = shop.job(batch_id=batch, custom_id="b", attempts_used=BOUNDS.max_attempts - 1)
    assert shop.run(last).status == FAILED
    assert shop.bought() == 0


def test_a_database_that_fails_within_an_attempt_costs_the_job_nothing(shop: Workshop) -> None:
    """Released for a while, no attempt used; the job resumes once the database works again."""
    batch = shop.batch()
    job = shop.job(batch_id=batch, custom_id="a")
    with shop.database.begin() as connection:
        connection.execute(text("ALTER TABLE batches RENAME TO away"))
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.code) == (SCHEDULED, 0, "database_trouble")
    with shop.database.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO batches"))
    assert shop.run(job).status == SUCCEEDED
    assert shop.bought() == 1


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that this test may kill."""
    with Postgres() as server:
        yield server


@pytest.mark.servers
def test_a_payment_is_recorded_when_the_database_is_back(
    own_postgres: Postgres, emulator: Emulator, client: ClientV1, tmp_path: Path
) -> None:
    """Gone during the call, it is asked again and again; a message that comes meanwhile is dropped and buys nothing."""
    database = Database(own_postgres.create_database("queue"), connections=4)
    with closing(database):
        schema.upgrade(database)
        shop = Workshop(database, emulator, tmp_path, During(client))
        job, other = shop.job(), shop.job()
        shop.client.event = own_postgres.kill
        shop.waits.steps = [lambda: shop.executor.run(other, 0), own_postgres.restart]
        shop.executor.run(job, 0)
        row = shop.row(job)
        assert (row.status, row.cost) == (SUCCEEDED, PRICE)
        assert shop.row(other).status == JobStatus.DISPATCHED
        assert len(shop.books(job)) == 1
        assert shop.bought() == 1
        assert shop.spooled() == []
        assert shop.waits.waited == [0.2, 0.5]


def test_a_claim_whose_answer_was_lost_is_released(shop: Workshop) -> None:
    """The database says that a job runs here, and it doesn't: the second look in a row hands it back, unused."""
    executor = shop.executor
    job = shop.job()
    with shop.database.begin() as connection:
        now = shop.database.now(connection)
        assert claims.claim(connection, job, 0, worker_id=shop.worker_id, now=now) is not None
    executor.release_orphans()
    with shop.database.read() as connection:
        assert stored(connection, job).status == JobStatus.RUNNING
    executor.release_orphans()
    with shop.database.read() as connection:
        row = stored(connection, job)
    assert (row.status, row.attempts_used, row.recover) == (QUEUED, 0, True)
