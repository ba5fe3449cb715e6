"""Attempts that submit and poll: a handle is recorded before anything else, polled by whichever worker holds the job
from then on, paid for once, and submitted again only when nothing more can come of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import text

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, During, Workshop, as_it_came, client_of, kill, opened
from tests.databases import BOTH
from tests.integration.segmind_clients import Time, make_v2
from worker.emulator.api.responses import Ending
from worker.emulator.faults import Effect, Match, Rule, Step, Take
from worker.emulator.server import Emulator
from worker.execution.heartbeat import FRESH_SECONDS
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt
from worker.segmind.answers import Answer
from worker.segmind.client import SubmitOrPollClient
from worker.store.database import Database
from worker.store.transitions import actions

SUCCEEDED, FAILED, QUEUED, SCHEDULED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
)
RUN_TIMEOUT: Final = 60.0
UNDER_WAY: Final = Rule(match=Match(step=Step.POLL), effect=Effect(word="PROCESSING"))
"""Polls report that the run is still processing."""


@pytest.fixture
def time() -> Time:
    """The waits between polls, which take no time."""
    return Time()


@contextmanager
def a_shop(database: Database, emulator: Emulator, folder: Path, time: Time) -> Iterator[Workshop]:
    """A worker that submits and polls."""
    with closing(make_v2(emulator.base_url, time=time, run_timeout=RUN_TIMEOUT)) as client:
        yield opened(Workshop(database, emulator, folder, During(client)))


@pytest.fixture
def shop(on_sqlite: Database, emulator: Emulator, tmp_path: Path, time: Time) -> Iterator[Workshop]:
    """A worker on SQLite."""
    with a_shop(on_sqlite, emulator, tmp_path, time) as made:
        yield made


@pytest.fixture(params=BOTH)
def shop_on_both(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path, time: Time) -> Iterator[Workshop]:
    """A worker, once on each database."""
    with a_shop(request.getfixturevalue(f"on_{request.param}"), emulator, tmp_path, time) as made:
        yield made


def runs_go_on(shop: Workshop) -> None:
    """Make runs outlast the test."""
    shop.emulator.admin.rules([UNDER_WAY])


def runs_end(shop: Workshop) -> None:
    """Finish all submitted runs."""
    shop.emulator.admin.rules([])


def submitted(shop: Workshop) -> int:
    """How often a text was handed to the API."""
    return shop.emulator.state(detail=False).submits


def a_killed_job(shop: Workshop, time: Time) -> UUID:
    """A job whose worker died between its first poll and its second."""
    job = shop.job()
    runs_go_on(shop)
    time.on_wait = kill
    shop.run_until_killed(job)
    time.on_wait = None
    shop.die()
    runs_end(shop)
    return job


def test_what_is_submitted_is_committed_before_the_first_poll(shop_on_both: Workshop, time: Time) -> None:
    """When the first wait begins, the row names the run; once the audio is recorded, only the ledger does."""
    shop, seen = shop_on_both, list[tuple[str, int]]()
    job = shop.job()
    runs_go_on(shop)

    def look() -> None:
        seen.append((shop.row(job).request_id, shop.emulator.state(detail=False).polls))
        runs_end(shop)

    time.on_wait = look
    row = shop.run(job)
    (billed,) = shop.emulator.state().bill
    assert seen[0] == (billed.request_id, 0)
    assert (row.status, row.request_id, row.cost) == (SUCCEEDED, None, PRICE)
    assert [attempt.request_id for attempt in shop.books(job)] == [billed.request_id]


def test_a_dead_workers_run_is_polled_by_the_next(shop_on_both: Workshop, time: Time) -> None:
    """On another machine: nothing is submitted or paid twice, and nothing stays in doubt."""
    shop = shop_on_both
    job = a_killed_job(shop, time)
    row = shop.neighbour().run(job)
    lost, won = shop.books(job)
    assert (row.status, row.cost, row.request_id) == (SUCCEEDED, PRICE, None)
    assert (submitted(shop), shop.bought()) == (1, 1)
    assert (lost.verdict, lost.request_id, lost.possibly_billed) == (VerdictKind.LOST, won.request_id, False)
    assert (won.verdict, won.cost) == (VerdictKind.SUCCESS, PRICE)


def test_an_unrecorded_submission_is_flagged(shop_on_both: Workshop) -> None:
    """The worker died with the reply in its hands: the text is bought again, and the ledger says why."""
    shop = shop_on_both
    job = shop.job()
    shop.client.before_keeping = kill
    shop.run_until_killed(job)
    shop.die()
    row = shop.neighbour().run(job)
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert (submitted(shop), shop.bought()) == (2, 2)
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [True, False]


def test_a_submissions_own_lost_reply_is_flagged(shop: Workshop) -> None:
    """Whether the API acts on it can't be known; the next attempt submits anew."""
    shop.script(ending=Ending.LOST, times=1)
    job = shop.job()
    first = shop.run(job)
    assert (first.status, first.request_id, first.cost) == (SCHEDULED, None, 0)
    assert shop.run(job).status == SUCCEEDED
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [True, False]
    assert submitted(shop) == 2


def test_a_worker_that_comes_late_leaves_its_handle_to_the_next(shop_on_both: Workshop) -> None:
    """Its job was rescued while it submitted: the handle is kept, not submitted again, and the run is charged once."""
    shop = shop_on_both
    job = shop.job()
    shop.client.before_keeping = shop.die
    late = shop.run(job)
    assert (late.status, late.recover, late.cost) == (QUEUED, True, PRICE)
    assert late.request_id == shop.emulator.state().bill[0].request_id
    row = shop.neighbour().run(job)
    assert (row.status, row.cost, row.request_id) == (SUCCEEDED, PRICE, None)
    assert (submitted(shop), shop.bought()) == (1, 1)
    assert [(entry.verdict, entry.cost) for entry in shop.books(job)] == [("late", PRICE), ("success", 0)]


def test_a_run_that_two_workers_delivered_is_charged_once(shop_on_both: Workshop, time: Time) -> None:
    """The one that had lost the job comes to the end of its polling after the other had recorded the same run."""
    shop = shop_on_both
    other = shop.neighbour()
    job = shop.job()
    runs_go_on(shop)

    def meanwhile() -> None:
        time.on_wait = None
        shop.die()
        runs_end(shop)
        assert other.run(job).status == SUCCEEDED

    time.on_wait = meanwhile
    row = shop.run(job)
    late, won = shop.books(job)
    assert (row.cost, shop.bought(), submitted(shop)) == (PRICE, 1, 1)
    assert (late.verdict, late.cost, late.request_id) == (VerdictKind.LATE, 0, won.request_id)
    assert won.cost == PRICE


def test_a_worker_that_stops_leaves_the_run_to_the_next(shop_on_both: Workshop, time: Time) -> None:
    """Interrupted between two polls: queued at once, no attempt used, nothing in doubt, and polled on elsewhere."""
    shop = shop_on_both
    job = shop.job()
    runs_go_on(shop)
    time.stops_after = 2
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.not_before, row.recover) == (QUEUED, 0, None, False)
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.code, attempt.possibly_billed) == (VerdictKind.RELEASED, "interrupted", False)
    assert row.request_id == attempt.request_id
    time.stops_after = None
    runs_end(shop)
    assert shop.neighbour().run(job).status == SUCCEEDED
    assert (submitted(shop), shop.bought()) == (1, 1)


def test_an_interrupted_recovery_stays_one(shop: Workshop, time: Time) -> None:
    """What had to be looked for before the interruption has to be looked for after it."""
    job = shop.job(recover=True, attempt=1)
    runs_go_on(shop)
    time.stops_after = 0
    assert shop.run(job).recover


def test_a_run_that_takes_too_long_is_polled_on_and_in_the_end_in_doubt(shop: Workshop) -> None:
    """Each attempt polls for its time; with the last one the job fails, and the run may yet be billed."""
    job = shop.job()
    runs_go_on(shop)
    rows = [shop.run(job) for _ in range(BOUNDS.max_attempts)]
    assert [row.status for row in rows] == [SCHEDULED] * 3 + [FAILED]
    assert {row.code for row in rows} == {"run_unfinished"}
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, False, False, True]
    assert submitted(shop) == 1


def test_a_failed_job_that_is_tried_again_asks_after_what_it_submitted(shop: Workshop) -> None:
    """A retry by hand keeps the handle: the audio is brought, charged once, and nothing stays in doubt."""
    job = shop.job(attempts_used=BOUNDS.max_attempts - 1)
    runs_go_on(shop)
    assert shop.run(job).status == FAILED
    runs_end(shop)
    with shop.database.begin() as connection:
        actions.retry(connection, actions.these([job]), states=[FAILED])
    row = shop.run(job)
    assert (row.status, row.cost, row.request_id) == (SUCCEEDED, PRICE, None)
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, False]
    assert (submitted(shop), shop.bought()) == (1, 1)


def test_a_job_that_fails_with_its_worker_leaves_its_run_in_doubt(shop_on_both: Workshop, time: Time) -> None:
    """No further attempt polls it; a manual retry does."""
    shop = shop_on_both
    job = shop.job(attempts_used=BOUNDS.max_attempts - 1)
    runs_go_on(shop)
    time.on_wait = kill
    shop.run_until_killed(job)
    time.on_wait = None
    shop.die()
    runs_end(shop)
    assert (shop.row(job).status, shop.row(job).code) == (FAILED, "worker_lost")
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [True]
    with shop.database.begin() as connection:
        actions.retry(connection, actions.these([job]), states=[FAILED])
    row = shop.neighbour().run(job)
    assert (row.status, row.cost, shop.bought()) == (SUCCEEDED, PRICE, 1)
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, False]


def test_a_run_that_is_never_polled_again_is_in_doubt(shop_on_both: Workshop, time: Time) -> None:
    """Cancelled while it waited: what was submitted may be billed without our knowing."""
    shop = shop_on_both
    job = a_killed_job(shop, time)
    with shop.database.begin() as connection:
        actions.cancel(connection, actions.these([job]), now=shop.database.now(connection))
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [True]


def test_a_failed_run_is_resubmitted(shop_on_both: Workshop) -> None:
    """Its handle is of no more use, it cost nothing, and the next attempt buys."""
    shop = shop_on_both
    shop.script(run_fails=True, message="the model gave up", times=1)
    job = shop.job()
    first = shop.run(job)
    assert (first.status, first.code, first.request_id, first.cost) == (SCHEDULED, "run_failed", None, 0)
    assert "the model gave up" in first.message
    row = shop.run(job)
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert (submitted(shop), shop.bought()) == (2, 1)
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, False]


def test_a_run_that_the_api_has_forgotten_is_resubmitted_and_in_doubt(shop: Workshop, time: Time) -> None:
    """Its record expired: its end is unknown, so the next attempt may pay a second time."""
    job = a_killed_job(shop, time)
    shop.emulator.admin.rules([Rule(match=Match(step=Step.POLL), effect=Effect(status=404), times=3)])
    other = shop.neighbour()
    first = other.run(job)
    assert (first.status, first.code, first.request_id) == (SCHEDULED, "request_expired", None)
    assert other.run(job).status == SUCCEEDED
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [False, True, False]
    assert submitted(shop) == 2


def test_an_account_error_keeps_the_handle(shop: Workshop, time: Time) -> None:
    """A key that was revoked before the poll holds the queue; the run is still the job's own."""
    job = a_killed_job(shop, time)
    shop.emulator.admin.account(key_valid=False)
    other = shop.neighbour()
    row = other.run(job)
    assert (row.status, row.code, row.attempts_used) == (QUEUED, "bad_key", 1)
    assert row.request_id is not None
    shop.emulator.admin.account(key_valid=True)
    assert other.run(job).status == SUCCEEDED
    assert (submitted(shop), shop.bought()) == (1, 1)


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
        other.client.client = SubmitOrPollClient(buyer=blocking, follower=shop.client.client)
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
