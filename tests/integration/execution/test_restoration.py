"""After a restore: what the store holds of unfinished jobs is adopted at its cost, and all else is marked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, Workshop, as_it_came
from tests.factories import add_attempt
from worker.audio.take import accept
from worker.cli.service.restore_check import living
from worker.execution.acceptance import Accepted
from worker.execution.encoding import unchanged
from worker.execution.restoration import Found, Restoration
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt
from worker.store.database import Database
from worker.store.outbox import endpoints, events
from worker.store.queries import attempts, holds
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.webhooks import EventRow
from worker.store.tables.workers import Worker
from worker.store.transitions import actions

SUCCEEDED, QUEUED, SCHEDULED, RUNNING, CANCELLED = (
    JobStatus.SUCCEEDED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
    JobStatus.RUNNING,
    JobStatus.CANCELLED,
)


def restored(shop: Workshop, *jobs: UUID, **columns: object) -> None:
    """The rows are what they were before anything was bought; the store is as it is."""
    before = {"status": QUEUED, "attempt": 0, "attempts_used": 0, "recover": False, "cost": Decimal(0)}
    sound = dict.fromkeys(("uri", "sha256", "finished_at", "content_type", "audio_bytes", "duration_ms"))
    with shop.database.begin() as connection:
        connection.execute(update(Job).where(Job.id.in_(jobs)).values({**before, **sound, **columns}))
        connection.execute(delete(Attempt).where(Attempt.job_id.in_(jobs)))


def restoration(shop: Workshop) -> Restoration:
    """The check on this shop's database and store."""
    return Restoration(shop.database, shop.executor.context.destinations, BOUNDS)


def run(shop: Workshop) -> Found:
    """Everything at once."""
    return sum(restoration(shop).run(), Found())


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"status": SCHEDULED, "attempt": 1},
        {"status": JobStatus.DISPATCHED},
        {"status": RUNNING, "attempt": 1, "attempts_used": 1},
    ],
    ids=["queued", "scheduled", "dispatched", "running"],
)
def test_a_stored_object_ends_its_job_at_its_cost(shop_on_both: Workshop, columns: dict[str, object]) -> None:
    """Whatever state the backup caught the job in; the dispatcher reads the cost like any other."""
    shop = shop_on_both
    spoken = shop.run(shop.job())
    if columns:
        columns = columns | {"worker_id": shop.worker_id, "not_before": spoken.finished_at}
        columns["started_at"] = spoken.finished_at
    restored(shop, spoken.id, **columns)
    assert run(shop) == Found(unfinished=1, adopted=1, cost=PRICE)
    row = shop.row(spoken.id)
    assert (row.status, row.cost, row.uri, row.sha256) == (SUCCEEDED, PRICE, spoken.uri, spoken.sha256)
    [entry] = shop.books(spoken.id)
    assert (entry.verdict, entry.cost, entry.possibly_billed) == (VerdictKind.SUCCESS, PRICE, False)
    with shop.database.begin() as connection:
        assert [ended.cost for ended in attempts.take_news(connection) if ended.job_id == spoken.id] == [PRICE]
    assert run(shop) == Found()


def test_a_look_changes_nothing(shop_on_both: Workshop) -> None:
    """It reports what a run would do."""
    shop = shop_on_both
    spoken, other = shop.run(shop.job()), shop.job(status=QUEUED)
    restored(shop, spoken.id)
    assert sum(restoration(shop).look(), Found()) == Found(unfinished=2, adopted=1, cost=PRICE, marked=1)
    assert [shop.row(job).recover for job in (spoken.id, other)] == [False, False]
    assert shop.books(spoken.id) == []


def test_another_jobs_object_under_the_key_is_not_adopted(shop_on_both: Workshop) -> None:
    """Batches may share a folder: the object names its job and its content."""
    shop = shop_on_both
    folder = (shop.folder / "shared").as_uri()
    first, second = shop.batch(output_url=folder), shop.batch(output_url=folder)
    shop.run(shop.job(batch_id=first, custom_id="1"))
    job = shop.job(batch_id=second, custom_id="1", status=QUEUED)
    assert run(shop) == Found(unfinished=1, marked=1)
    assert (shop.row(job).status, shop.row(job).recover) == (QUEUED, True)


def test_a_copy_costs_nothing_when_it_is_adopted(shop_on_both: Workshop) -> None:
    """As it cost nothing before."""
    shop = shop_on_both
    shop.run(shop.job(text="Once."))
    copy = shop.run(shop.job(text="Once."))
    restored(shop, copy.id)
    assert run(shop) == Found(unfinished=1, adopted=1, copies=1)
    assert (shop.row(copy.id).cost, shop.row(copy.id).cached) == (0, True)


def test_an_estimated_cost_stays_estimated(shop_on_both: Workshop) -> None:
    """The object records that the API had named none."""
    shop = shop_on_both
    source = shop.run(shop.job())
    job = shop.job()
    made = unchanged(Accepted(accept(shop.file(source.id)), None))
    shop.upload(shop.claim(job), made, Receipt(), Cost(PRICE, estimated=True))
    restored(shop, job)
    assert run(shop) == Found(unfinished=1, adopted=1, cost=PRICE, estimated=1)
    assert shop.books(job)[-1].cost_estimated


def test_a_call_that_is_in_the_ledger_is_not_charged_again(shop_on_both: Workshop) -> None:
    """The backup has the attempt and its cost, and only the job was put back: by a retry, say."""
    shop = shop_on_both
    source = shop.run(shop.job())
    job = shop.job()
    claim = shop.claim(job)
    shop.upload(claim, as_it_came(shop.file(source.id)), Receipt(PRICE, "req-1"), Cost(PRICE, estimated=False))
    with shop.database.begin() as connection:
        connection.execute(update(Job).where(Job.id == job).values(status=QUEUED, worker_id=None, cost=PRICE))
        paid = {"verdict": VerdictKind.LATE, "cost": PRICE, "request_id": "req-1"}
        add_attempt(connection, job_id=job, number=1, **paid)
    run(shop)
    assert (shop.row(job).status, shop.row(job).cost) == (SUCCEEDED, PRICE)
    assert sum(entry.cost for entry in shop.books(job)) == PRICE


def test_ended_jobs_are_left_alone(shop_on_both: Workshop) -> None:
    """A cancelled job keeps its state, though its audio is there."""
    shop = shop_on_both
    spoken, job = shop.run(shop.job()), shop.job(status=QUEUED)
    with shop.database.begin() as connection:
        actions.cancel(connection, actions.these([job]), now=shop.database.now(connection))
    assert run(shop) == Found()
    assert (shop.row(spoken.id).status, shop.row(job).status) == (SUCCEEDED, CANCELLED)


def test_the_end_of_an_adopted_job_is_an_event_with_a_new_id(shop_on_both: Workshop) -> None:
    """Ids that were given out after the backup are passed over, however often the same backup is restored."""
    shop = shop_on_both
    with shop.database.begin() as connection:
        now = shop.database.now(connection)
        endpoints.callbacks(connection, "default", fresh_secret="whsec_test", now=now)
    spoken = shop.run(shop.job())
    restored(shop, spoken.id)
    newest, number = restoration(shop).move_events_ahead()
    assert number > newest + 1_000_000
    run(shop)
    with shop.database.read() as connection:
        after = events.after(connection, number, most=10)
    assert [(event.type, event.subject) for event in after] == [("job.succeeded", str(spoken.id))]


def test_event_ids_move_ahead_each_time(database: Database) -> None:
    """A second restore must not give out what the first one did."""
    with database.begin() as connection:
        now = database.now(connection)
        first = events.move_ahead(connection, now=now)
        for _ in range(3):
            events.record(connection, "queue.test", "subject", {}, now=now)
        second = events.move_ahead(connection, now=now + timedelta(seconds=1))
        added = events.record(connection, "queue.test", "subject", {}, now=now)
        ids = connection.execute(select(EventRow.id).order_by(EventRow.id)).scalars().all()
    assert first[1] < second[1] < added
    assert added < 2**53
    assert len(set(ids)) == len(ids) == 6


def test_workers_of_a_fresh_backup_are_not_alive(database: Database) -> None:
    """Their heartbeats look fresh and stand still until they are stale; a living one's moves."""
    with database.begin() as connection:
        now = database.now(connection) - timedelta(seconds=holds.STALE_SECONDS - 1)
        connection.execute(
            insert(Worker).values(
                id=UUID(int=7), host="h", pid=1, queue="ttsq", slots=1, started_at=now, heartbeat_at=now, stopping=False
            )
        )
    assert living(database) == set()
