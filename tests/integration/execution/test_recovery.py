"""Recovery and copies: a take that was paid for is found before a new call."""

from __future__ import annotations

import shutil
from decimal import Decimal

from api_models.spending import By
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, Workshop, as_it_came
from worker.execution.copies import CopySource
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt
from worker.segmind.answers import Answer
from worker.store.money import spending

SUCCEEDED, FAILED, QUEUED, SCHEDULED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
)


# Recovery: what was paid for before is looked for before paying again.


def test_audio_that_was_stored_and_not_recorded_is_found(shop_on_both: Workshop) -> None:
    """A worker died between the upload and the record: the next one records the object as it is, and buys nothing."""
    shop = shop_on_both
    job = shop.job()
    other = shop.run(shop.job())
    claim = shop.claim(job)
    receipt, cost = Receipt(Decimal("0.0042"), "req-9"), Cost(Decimal("0.0042"), estimated=False)
    put = shop.upload(claim, as_it_came(shop.file(other.id)), receipt, cost)
    shop.die()
    row = shop.neighbour().run(job)
    assert (row.status, row.uri, row.sha256, row.cost) == (SUCCEEDED, put.uri, other.sha256, Decimal("0.0042"))
    assert row.duration_ms == other.duration_ms
    lost, won = shop.books(job)
    assert (lost.verdict, lost.cost) == (VerdictKind.LOST, 0)
    assert (won.verdict, won.request_id, won.cost_estimated) == (VerdictKind.SUCCESS, "req-9", False)
    assert shop.bought() == 1


def test_an_estimated_cost_stays_one_through_recovery(shop: Workshop) -> None:
    """The next worker doesn't take a guess for the API's word."""
    job = shop.job(custom_id="a")
    source = shop.run(shop.job())
    claim = shop.claim(job)
    made = as_it_came(shop.file(source.id))
    shop.upload(claim, made, Receipt(), Cost(PRICE, estimated=True))
    shop.die()
    assert shop.neighbour().run(job).cost == PRICE
    assert shop.books(job)[-1].cost_estimated


def test_a_copy_that_was_stored_and_not_recorded_stays_a_copy(shop_on_both: Workshop) -> None:
    """It cost nothing, and what it saved is counted."""
    shop = shop_on_both
    shop.run(shop.job(text="Say it once."))
    job = shop.job(text="Say it once.")
    claim = shop.claim(job)
    destinations = shop.executor.context.destinations
    assert CopySource(claim, destinations.for_claim(claim), shop.database, destinations, shop.spool).copied()
    shop.die()
    row = shop.neighbour().run(job)
    assert (row.status, row.cached, row.cost) == (SUCCEEDED, True, 0)
    with shop.database.read() as connection:
        total = spending.total(spending.spent(connection, By.DAY, spending.Filter()))
    assert (total.copies, total.saved, shop.bought()) == (1, PRICE, 1)


def test_an_answer_in_the_spool_is_delivered(shop: Workshop) -> None:
    """A worker died after the call: restarted, it stores what it had, and the receipt says what that cost."""
    job = shop.job()
    source = shop.run(shop.job())
    claim = shop.claim(job)
    spooled = shop.spool.path_for(job, claim.attempt)
    shutil.copyfile(shop.file(source.id), spooled)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=Decimal("0.0042"), request_id="req-9"))
    shop.die()
    row = shop.restarted().run(job)
    assert (row.status, row.cost) == (SUCCEEDED, Decimal("0.0042"))
    assert shop.books(job)[-1].request_id == "req-9"
    assert shop.spooled() == []
    assert shop.bought() == 1


def test_an_answer_without_its_receipt_is_estimated(shop: Workshop) -> None:
    """The worker died between the two files: the audio is used, its cost the registry's."""
    job = shop.job(recover=True, attempt=1)
    source = shop.run(shop.job())
    shutil.copyfile(shop.file(source.id), shop.spool.path_for(job, 1))
    assert shop.restarted().run(job).cost == PRICE
    assert shop.books(job)[-1].cost_estimated
    assert shop.bought() == 1


def test_a_spooled_answer_that_is_no_audio_is_a_bad_take(shop: Workshop) -> None:
    """It was paid for and is counted; the next attempt buys anew instead of finding it again."""
    job = shop.job(recover=True, attempt=1)
    shop.spool.path_for(job, 1).write_bytes(b"RIFF")
    first = shop.run(job)
    assert (first.status, first.takes_used, first.cost) == (QUEUED, 1, PRICE)
    assert shop.spooled() == []
    assert shop.bought() == 0
    assert shop.run(job).status == SUCCEEDED


def test_with_nothing_to_recover_a_call_is_made(shop: Workshop) -> None:
    """A job marked for recovery whose earlier attempt left nothing is bought once."""
    job = shop.job(recover=True, attempt=1)
    assert shop.run(job).status == SUCCEEDED
    assert shop.bought() == 1


def test_an_object_of_another_job_is_not_taken_for_ones_own(shop: Workshop) -> None:
    """A file of the same name, from a run before, is replaced and not recorded, even where the words are the same."""
    here = {"custom_id": "a", "text": "The same words.", "use_cache": False}
    shop.run(shop.job(batch_id=shop.batch(output_url=shop.audio.as_uri()), **here))
    later = shop.batch(output_url=shop.audio.as_uri())
    job = shop.job(batch_id=later, recover=True, attempt=1, **here)
    assert shop.run(job).status == SUCCEEDED
    assert shop.bought() == 2
    found = shop.store.head("a.wav")
    assert found is not None
    assert found.metadata["ttsq-job"] == str(job)


# The same content is bought once.


def test_the_same_content_is_copied_for_nothing(shop_on_both: Workshop) -> None:
    """Each job owns its object; the copy costs nothing and says that it is one."""
    shop = shop_on_both
    first = shop.run(shop.job(text="Say it once.", custom_id="one"))
    row = shop.run(shop.job(text="Say it once.", custom_id="two"))
    assert (row.status, row.cached, row.cost) == (SUCCEEDED, True, 0)
    assert (row.sha256, row.duration_ms, row.audio_bytes) == (first.sha256, first.duration_ms, first.audio_bytes)
    assert row.uri != first.uri
    assert shop.file(row.id).read_bytes() == shop.file(first.id).read_bytes()
    assert shop.books(row.id)[0].verdict == VerdictKind.CACHED
    assert shop.bought() == 1


def test_a_fresh_take_is_bought_on_request(shop: Workshop) -> None:
    """A job that bypasses the cache pays, whatever was bought before."""
    shop.run(shop.job(text="Say it twice."))
    assert not shop.run(shop.job(text="Say it twice.", use_cache=False)).cached
    assert shop.bought() == 2


def test_a_twin_without_its_audio_is_not_copied(shop: Workshop) -> None:
    """Then the call is made after all: the file is gone, and what the folder remembered of it."""
    shop.file(shop.run(shop.job(text="Gone.")).id).unlink()
    for content in (shop.audio / ".ttsq/contents").iterdir():
        content.unlink()
    row = shop.run(shop.job(text="Gone.", custom_id="two"))
    assert (row.status, row.cached, row.cost) == (SUCCEEDED, False, PRICE)
