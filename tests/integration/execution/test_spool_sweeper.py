"""The spool's sweep: what a dead worker had paid for and left on its disk is in the books before it is thrown away."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, During, Workshop, as_it_came, client_of, opened
from tests.databases import BOTH
from tests.factories import add_attempt, add_job
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt
from worker.execution.spool_sweeper import CHARGES_PER_POLL, REST_SECONDS, SpoolSweeper
from worker.segmind.answers import Answer

SUCCEEDED, FAILED, QUEUED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED
COST = Decimal("0.0042")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One emulator for the module; what it billed is of no interest."""
    with Emulator(EmulatorConfig(audio_bytes=4_844)) as running:
        yield running


@pytest.fixture(params=BOTH)
def shop(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Iterator[Workshop]:
    """A worker, once on each database, and some audio."""
    with closing(client_of(emulator)) as client:
        made = opened(Workshop(request.getfixturevalue(f"on_{request.param}"), emulator, tmp_path, During(client)))
        shutil.copyfile(made.file(made.run(made.job()).id), made.audio / "source.wav")
        yield made


def left_behind(shop: Workshop, *, request_id: str | None = "req-9", **columns: object) -> UUID:
    """A job whose worker died after its call; the answer is in the spool."""
    job = shop.job(**columns)
    spooled = shop.spool.path_for(job, shop.claim(job).attempt)
    shutil.copyfile(shop.audio / "source.wav", spooled)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=COST, request_id=request_id))
    shop.die()
    return job


def test_a_job_that_failed_with_its_worker_is_charged_what_it_bought(shop: Workshop) -> None:
    """There is no next attempt that could own up to it: the sweep does, and drops the audio after a while."""
    job = left_behind(shop, attempts_used=BOUNDS.max_attempts - 1)
    assert (shop.row(job).status, shop.row(job).cost) == (FAILED, 0)
    shop.sweep()
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.code, attempt.cost) == (VerdictKind.LATE, "found_later", COST)
    assert (attempt.possibly_billed, attempt.request_id, attempt.noted) == (False, "req-9", False)
    assert shop.row(job).cost == COST
    assert shop.spooled() == [f"{job}.1.audio"]
    shop.sweep(later=REST_SECONDS)
    assert shop.row(job).cost == COST
    assert shop.spooled() == []


def test_a_job_bought_twice_is_charged_for_both(shop: Workshop) -> None:
    """Two calls, two costs."""
    job = left_behind(shop)
    assert shop.neighbour().run(job).cost == PRICE
    shop.sweep()
    assert shop.row(job).cost == PRICE + COST
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, False]


def test_an_answer_that_is_charged_early_is_delivered_for_nothing_more(shop: Workshop) -> None:
    """Its job still waits when the worker is back: the cost is known at once, and the audio is used."""
    job = left_behind(shop)
    shop.sweep(later=REST_SECONDS)
    assert (shop.row(job).status, shop.row(job).cost) == (QUEUED, COST)
    row = shop.restarted().run(job)
    assert (row.status, row.cost) == (SUCCEEDED, COST)
    assert shop.spooled() == []


def test_a_cost_without_a_name_is_estimated(shop: Workshop) -> None:
    """The receipt was lost with the worker."""
    job = left_behind(shop)
    spooled = shop.spool.path_for(job, 1)
    audio = spooled.read_bytes()
    spooled.unlink()
    spooled.write_bytes(audio)
    spooled.with_suffix(".receipt").unlink(missing_ok=True)
    shop.sweep()
    assert (shop.row(job).cost, shop.books(job)[0].cost_estimated) == (PRICE, True)


@pytest.mark.parametrize("request_id", ["req-9", None])
def test_what_was_found_in_the_store_is_not_charged_again(shop: Workshop, request_id: str | None) -> None:
    """The dead worker had stored its take: another one recorded it, cost and all, named or not."""
    job = shop.job()
    claim = shop.claim(job)
    receipt = Receipt(COST, request_id)
    spooled = shop.spool.path_for(job, claim.attempt)
    shutil.copyfile(shop.audio / "source.wav", spooled)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=COST, request_id=request_id))
    shop.upload(claim, as_it_came(spooled), receipt, Cost(COST, estimated=False))
    shop.die()
    assert shop.neighbour().run(job).cost == COST
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, False]
    shop.sweep(later=REST_SECONDS)
    assert shop.row(job).cost == COST
    assert shop.spooled() == []


def test_what_is_being_worked_at_is_left_alone(shop: Workshop) -> None:
    """The sweep comes while the answer is on its way into the store."""
    job = shop.job()

    def meanwhile() -> None:
        shop.spool.path_for(job, 1).write_bytes(b"half of it")
        shop.sweep(later=REST_SECONDS)
        assert shop.spooled()

    shop.client.event = meanwhile
    assert shop.run(job).status == SUCCEEDED


def test_a_duplicate_message_does_not_hide_what_is_in_hand(shop: Workshop) -> None:
    """The second message for a job ends at once; the first one's attempt is still under way."""
    job, seen = shop.job(), list[bool]()

    def meanwhile() -> None:
        shop.executor.run(job, 0)
        seen.append(job in shop.executor.in_hand())

    shop.client.event = meanwhile
    shop.run(job)
    assert seen == [True]
    assert shop.executor.under_way() == 0


def test_a_full_spool_is_looked_through_bit_by_bit(shop: Workshop) -> None:
    """Each sweep reads a bounded number, since it runs on the heartbeat's thread; the next sweep reads the rest."""
    jobs = []
    with shop.database.begin() as connection:
        for _ in range(CHARGES_PER_POLL + 2):
            jobs.append(add_job(connection, status=FAILED))
            add_attempt(connection, job_id=jobs[-1], verdict=VerdictKind.LOST, cost=Decimal(0), possibly_billed=True)
    for job in jobs:
        shop.spool.path_for(job, 1).write_bytes(b"sound")
    for charged in (CHARGES_PER_POLL, len(jobs)):
        shop.sweep()
        assert sum(shop.row(job).cost > 0 for job in jobs) == charged


def test_an_empty_spool_sends_no_query(shop: Workshop) -> None:
    """Not even an unreachable database."""
    assert shop.spooled() == []
    shop.database.close()
    shop.sweep()


def test_answers_of_jobs_that_the_database_does_not_know_are_kept(shop: Workshop) -> None:
    """It may be a restored or the wrong one: unknown is not over, and the log says so once."""
    job = uuid7()
    spooled = shop.spool.path_for(job, 1)
    shutil.copyfile(shop.audio / "source.wav", spooled)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=COST))
    sweeper = SpoolSweeper(
        shop.database, shop.spool, shop.executor.in_hand, clock=lambda: time.time() + 30 * REST_SECONDS
    )
    with structlog.testing.capture_logs() as logged:
        for _ in range(2):
            sweeper.run_once()
    assert shop.spooled() == [f"{job}.1.audio"]
    [warning] = [line for line in logged if line["event"] == "spool_answers_unknown"]
    assert (warning["jobs"], warning["first"]) == (1, str(job))
    assert "TTSQ_DATABASE_URL" in warning["remedy"]


def test_a_queued_job_whose_answer_is_spooled_is_not_bought_again(shop: Workshop) -> None:
    """The database was restored from the time before the call: the job knows of no attempt, and the spool has it."""
    job = shop.job(status=QUEUED)
    spooled = shop.spool.path_for(job, 3)
    shutil.copyfile(shop.audio / "source.wav", spooled)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=COST, request_id="req-3"))
    bought = shop.bought()
    shop.sweep(later=REST_SECONDS)
    row = shop.run(job)
    assert (row.status, row.cost, shop.bought()) == (SUCCEEDED, COST, bought)
