"""Retention: text and audio are deleted when they expire or on request; the row and the ledger stay."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from tests.attempt_harness import PRICE, Workshop
from tests.factories import add_attempt, add_job, ledger, stored
from tests.servers.s3 import Bucket
from tests.unit.artifacts.test_conformance import store_bytes
from worker.maintenance.purger import Purger
from worker.store import outputs
from worker.store.money import pricing
from worker.store.queries import filters
from worker.store.tables.jobs import Job
from worker.store.transitions import actions, purges

SUCCEEDED, FAILED = JobStatus.SUCCEEDED, JobStatus.FAILED
TEXT = "Something private."
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def purger(shop: Workshop) -> Purger:
    """Who takes away what is due."""
    return Purger(shop.database, shop.executor.context.destinations)


def let_pass(shop: Workshop, job: UUID, **span: int) -> None:
    """The job ended so long ago."""
    with shop.database.begin() as connection:
        ended = datetime.now(UTC) - timedelta(**span)
        connection.execute(update(Job).where(Job.id == job).values(finished_at=ended))


def look(shop: Workshop) -> None:
    """Two looks: one dates, the other takes away."""
    purger(shop).run_once()
    purger(shop).run_once()


def test_text_and_audio_are_deleted_when_they_expire(shop_on_both: Workshop) -> None:
    """Not before; the row, its figures and the ledger stay, and nothing of the take is left in the folder."""
    shop = shop_on_both
    job = shop.run(shop.job(text=TEXT, expires_after=3_600)).id
    look(shop)
    assert (shop.row(job).text, shop.row(job).purged_at) == (TEXT, None)
    assert shop.row(job).purge_at == shop.row(job).finished_at + timedelta(hours=1)
    with shop.database.begin() as connection:
        connection.execute(update(Job).where(Job.id == job).values(purge_at=None))
    let_pass(shop, job, hours=2)
    look(shop)
    row = shop.row(job)
    assert (row.text, row.status, row.cost) == ("", SUCCEEDED, PRICE)
    assert row.purged_at is not None
    assert row.uri is not None
    assert [attempt.cost for attempt in shop.books(job)] == [PRICE]
    assert not [path for path in shop.audio.rglob("*") if path.is_file()]


def test_what_says_nothing_of_it_is_kept(shop: Workshop) -> None:
    """Kept indefinitely."""
    job = shop.run(shop.job(text=TEXT)).id
    let_pass(shop, job, days=4_000)
    look(shop)
    assert shop.row(job).text == TEXT
    assert shop.file(job).is_file()


def test_a_bucket_keeps_nothing_either(shop: Workshop, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is gone from the store that the tenant has of its own."""
    for name, value in s3.server.environment().items():
        monkeypatch.setenv(name, value)
    with shop.database.begin() as connection:
        outputs.give_tenant(connection, "ann", f"{s3.url}/hers")
    row = shop.run(shop.job(tenant="ann", text=TEXT, expires_after=1))
    held = shop.executor.context.destinations.containing(row.uri, tenant="ann", batch_id=None)
    assert held is not None
    assert held.store.head(held.key) is not None
    let_pass(shop, row.id, hours=1)
    look(shop)
    assert held.store.head(held.key) is None
    assert shop.row(row.id).text == ""


def test_what_was_removed_is_never_copied(shop_on_both: Workshop) -> None:
    """The same text is bought again, and no quote says otherwise."""
    shop = shop_on_both
    first = shop.run(shop.job(text=TEXT, expires_after=1))
    with shop.database.read() as connection:
        assert pricing.bought(connection, [first.fingerprint]) == {first.fingerprint}
    let_pass(shop, first.id, hours=1)
    look(shop)
    with shop.database.read() as connection:
        assert pricing.bought(connection, [first.fingerprint]) == set()
    again = shop.run(shop.job(text=TEXT, fingerprint=first.fingerprint))
    assert (again.status, again.cached) == (SUCCEEDED, False)
    assert shop.run(shop.job(text=TEXT, fingerprint=first.fingerprint)).cached
    assert shop.bought() == 2


def test_a_claim_whose_twin_was_removed_meanwhile_buys(shop: Workshop) -> None:
    """The look at the twin comes after the claim, and sees that it is gone."""
    first = shop.run(shop.job(text=TEXT, expires_after=1))
    job = shop.job(text=TEXT, fingerprint=first.fingerprint)
    claim = shop.claim(job)
    assert claim.twin == first.id
    let_pass(shop, first.id, hours=1)
    look(shop)
    shop.die()
    assert not shop.neighbour().run(job).cached


def test_refused_takes_go_as_well(shop: Workshop) -> None:
    """Whatever was kept of the job's attempts."""
    take = shop.audio / "default/jobs/refused/x.1.wav"
    users = take.with_name("mine.wav")
    with shop.database.begin() as connection:
        job = add_job(connection, status=FAILED, text=TEXT, expires_after=1, finished_at=LONG_AGO)
        for number, path in enumerate((take, users), 1):
            add_attempt(connection, job_id=job, number=number, take_uri=path.as_uri())
    store_bytes(shop.store, "default/jobs/refused/x.1.wav", b"RIFF", shop.folder, metadata={"ttsq-job": str(job)})
    users.write_bytes(b"RIFF")
    look(shop)
    assert not take.exists()
    assert users.read_bytes() == b"RIFF"
    with shop.database.read() as connection:
        assert stored(connection, job).text == ""
        assert [attempt.take_uri for attempt in ledger(connection, job)] == [None, None]


def test_what_another_job_has_put_there_stays(shop: Workshop) -> None:
    """Two batches with one folder and one name: the object is the later one's."""
    out = (shop.folder / "out").as_uri()
    first, later = (
        shop.run(shop.job(batch_id=shop.batch(output_url=out), custom_id="a", text=words, expires_after=seconds))
        for words, seconds in ((TEXT, 1), ("Other words.", None))
    )
    assert first.uri == later.uri
    let_pass(shop, first.id, hours=1)
    look(shop)
    assert shop.row(first.id).text == ""
    assert (shop.folder / "out/a.wav").is_file()


def test_an_object_out_of_reach_is_put_off(shop_on_both: Workshop) -> None:
    """Its job isn't said to be done, those behind it go on, and it is tried again later."""
    shop = shop_on_both
    stuck, free = (shop.run(shop.job(text=TEXT, expires_after=1, use_cache=False)) for _ in range(2))
    with shop.database.begin() as connection:
        connection.execute(update(Job).where(Job.id == stuck.id).values(uri="s3://unknown/key.wav"))
    let_pass(shop, stuck.id, hours=2)
    let_pass(shop, free.id, hours=1)
    look(shop)
    assert (shop.row(stuck.id).text, shop.row(stuck.id).purged_at) == (TEXT, None)
    assert shop.row(stuck.id).purge_at > datetime.now(UTC)
    assert shop.row(free.id).text == ""


def test_a_job_that_is_tried_again_keeps_its_text(shop_on_both: Workshop) -> None:
    """A dated text stays, even if a purge has selected it; a job without its text can't be retried."""
    shop = shop_on_both
    with shop.database.begin() as connection:
        jobs = [add_job(connection, status=FAILED, text=TEXT, expires_after=1, finished_at=LONG_AGO) for _ in range(2)]
        assert purges.date(connection, most=10) == 2
        due = purges.due(connection, most=10, now=datetime.now(UTC))
        assert actions.retry(connection, actions.these(jobs[:1]), states=[FAILED]) == 1
        purges.blank(connection, due, now=datetime.now(UTC))
        rows: list[Any] = [stored(connection, job) for job in jobs]
        assert [(row.status, row.text) for row in rows] == [(JobStatus.QUEUED, TEXT), (FAILED, "")]
        assert rows[0].purge_at is None
        assert actions.retry(connection, actions.these(jobs), states=[FAILED]) == 0


def test_what_is_asked_for_goes_at_once(shop_on_both: Workshop) -> None:
    """Whatever it said of its time; what isn't over is counted and left alone."""
    shop = shop_on_both
    done, waiting = shop.run(shop.job(text=TEXT)), shop.job(text=TEXT)
    with shop.database.begin() as connection:
        which = filters.selection(job_ids=(done.id, waiting))
        assert purges.ask(connection, which, now=shop.database.now(connection)) == (1, 1)
    assert purger(shop).run([done.id, waiting, uuid.uuid4()]) == 1
    assert purger(shop).run([done.id]) == 0
    assert (shop.row(done.id).text, shop.row(waiting).text) == ("", TEXT)
    assert not shop.file(done.id).exists()


def test_many_are_taken_away_piece_by_piece(shop: Workshop) -> None:
    """A look says whether there may be more."""
    with shop.database.begin() as connection:
        for _ in range(450):
            add_job(connection, status=JobStatus.CANCELLED, text=TEXT, expires_after=1, finished_at=LONG_AGO)
    looks = 1
    while purger(shop).run_once():
        looks += 1
    assert looks <= 6
    with shop.database.read() as connection:
        assert purges.due(connection, most=10, now=datetime.now(UTC)) == []
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs WHERE purged_at IS NULL").scalar() == 0
