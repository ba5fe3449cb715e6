"""Workers that deliver late, or must not begin an attempt."""

from __future__ import annotations

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, Workshop
from worker.execution.heartbeat import FRESH_SECONDS
from worker.store.transitions import actions

SUCCEEDED, FAILED, QUEUED, SCHEDULED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
)


# A worker that comes too late, or should not begin.


def test_a_late_worker_never_overwrites_the_winners_object(shop_on_both: Workshop) -> None:
    """Rescued and finished elsewhere meanwhile: the object and the record stay the winner's; both calls are charged."""
    shop = shop_on_both
    other = shop.neighbour()
    job = shop.job(custom_id="a")

    def meanwhile() -> None:
        shop.die()
        assert other.run(job).status == SUCCEEDED

    shop.client.event = meanwhile
    row = shop.run(job)
    found = shop.store.head(f"default/jobs/{job}.wav")
    assert found is not None
    assert (row.status, row.sha256, row.cost) == (SUCCEEDED, found.sha256, 2 * PRICE)
    assert found.metadata["ttsq-attempt"] == "2"
    late, won = shop.books(job)
    assert (late.verdict, late.cost, late.possibly_billed) == (VerdictKind.LATE, PRICE, False)
    assert (won.verdict, won.cost) == (VerdictKind.SUCCESS, PRICE)
    assert shop.emulator.state().billed == row.cost


def test_a_job_called_off_and_tried_again_keeps_the_later_takes_object(shop: Workshop) -> None:
    """A call that outlives its cancelling, and the retry that finished meanwhile: the record names what is stored."""
    other = shop.neighbour()
    job = shop.job(custom_id="a")

    def meanwhile() -> None:
        with shop.database.begin() as connection:
            actions.cancel(connection, actions.these([job]), now=shop.database.now(connection))
            actions.retry(connection, actions.these([job]), states=[JobStatus.CANCELLED])
        assert other.run(job).status == SUCCEEDED

    shop.client.event = meanwhile
    row = shop.run(job)
    found = shop.store.head(f"default/jobs/{job}.wav")
    assert found is not None
    assert (row.status, row.sha256, found.metadata["ttsq-attempt"]) == (SUCCEEDED, found.sha256, "2")


def test_a_late_take_is_found_by_the_attempt_that_follows(shop: Workshop) -> None:
    """The job still waited when the audio came: kept in the spool, it is not bought again on this machine."""
    job = shop.job()
    shop.client.event = shop.die
    row = shop.run(job)
    assert (row.status, row.recover, row.cost) == (QUEUED, True, PRICE)
    shop.revive()
    row = shop.run(job)
    assert row.status == SUCCEEDED
    assert shop.bought() == 1
    assert shop.spooled() == []


def test_a_take_that_is_delivered_late_is_charged_once(shop: Workshop) -> None:
    """The late attempt owned up to its cost; the one that delivers its take adds nothing to it."""
    job = shop.job()
    shop.client.event = shop.die
    shop.run(job)
    shop.revive()
    assert shop.run(job).cost == PRICE


def test_a_job_cancelled_during_its_call_stays_cancelled(shop: Workshop) -> None:
    """The call is owed; no object is left that no row names."""
    job = shop.job(custom_id="a")

    def cancel() -> None:
        with shop.database.begin() as connection:
            actions.cancel(connection, actions.these([job]), now=shop.database.now(connection))

    shop.client.event = cancel
    row = shop.run(job)
    assert (row.status, row.cost, row.uri) == (JobStatus.CANCELLED, PRICE, None)
    assert not shop.file(job).exists()


def test_a_worker_that_stops_claims_nothing(shop: Workshop) -> None:
    """Its message is handed back at once."""
    shop.executor.context.stopping.set()
    job = shop.job()
    row = shop.run(job)
    assert (row.status, row.attempt) == (QUEUED, 0)
    assert shop.bought() == 0


def test_a_worker_out_of_touch_starts_no_paid_call(shop: Workshop) -> None:
    """Its own last sign of life is too old: others may be about to take its jobs."""
    shop.clock.seconds += FRESH_SECONDS
    job = shop.job()
    assert shop.run(job).status == QUEUED
    assert shop.bought() == 0
    shop.revive()
    assert shop.run(job).status == SUCCEEDED


def test_idleness_can_be_waited_for(shop: Workshop) -> None:
    """A stop lets calls in flight finish."""
    shop.client.event = lambda: seen.append((shop.executor.under_way(), shop.executor.wait_until_idle(0)))
    seen: list[tuple[int, bool]] = []
    shop.run(shop.job())
    assert seen == [(1, False)]
    assert shop.executor.wait_until_idle(0)
