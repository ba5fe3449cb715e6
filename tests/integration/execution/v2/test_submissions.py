"""Attempts that submit and poll: a handle is recorded before anything else, polled by whichever worker holds the job
from then on, paid for once, and submitted again only when nothing more can come of it.
"""

from __future__ import annotations

from api_models.verdict import VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, Workshop, kill
from tests.integration.execution.v2.conftest import (
    FAILED,
    QUEUED,
    SCHEDULED,
    SUCCEEDED,
    a_killed_job,
    runs_end,
    runs_go_on,
    submitted,
)
from tests.integration.segmind_clients import Time
from worker.emulator.api.responses import Ending
from worker.emulator.faults import Effect, Match, Rule, Step
from worker.store.transitions import actions


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
