"""After a restore: refused takes that were bought after the backup are in the ledger again, and none is bought anew."""

from __future__ import annotations

from decimal import Decimal

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, Workshop
from tests.integration.execution.test_restoration import restoration, restored, run
from worker.audio.gate import GateLimits
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Take
from worker.execution.restoration import Found

SUCCEEDED, FAILED, QUEUED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED
TEXT = "The ferry leaves at noon, and the bakery behind the harbour opens at six, as it has for forty years."


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


def test_the_refused_takes_before_a_good_one_are_paid_for_too(shop_on_both: Workshop) -> None:
    """Each at the number of its attempt, with its cost, its reason and its place; the job has its audio."""
    shop = shop_on_both
    shop.script(take=Take.TRUNCATED, times=2)
    job = shop.job(text=TEXT)
    for _ in range(3):
        spoken = shop.run(job)
    assert spoken.status == SUCCEEDED
    before = shop.books(job)
    restored(shop, job, takes_used=0)

    assert sum(restoration(shop).look(), Found()) == Found(unfinished=1, adopted=1, cost=3 * PRICE, refused=2)
    assert run(shop) == Found(unfinished=1, adopted=1, cost=3 * PRICE, refused=2)

    row = shop.row(job)
    assert (row.status, row.cost, row.takes_used, row.uri) == (SUCCEEDED, 3 * PRICE, 2, spoken.uri)
    after = shop.books(job)
    assert [one.verdict for one in after] == [VerdictKind.BAD_TAKE, VerdictKind.BAD_TAKE, VerdictKind.SUCCESS]
    for old, new in zip(before, after, strict=True):
        assert (new.cost, new.cost_estimated, new.take_uri) == (old.cost, old.cost_estimated, old.take_uri)
    assert run(shop) == Found()
    assert shop.bought() == 3


def test_a_job_that_had_used_up_its_takes_has_none_left(shop_on_both: Workshop) -> None:
    """It fails again, as after the backup, and isn't marked for another call."""
    shop = shop_on_both
    shop.script(take=Take.TRUNCATED)
    job = shop.job(text=TEXT)
    while shop.row(job).status != FAILED:
        shop.run(job)
    paid = shop.row(job).cost
    restored(shop, job, takes_used=0)
    found = run(shop)
    assert (found.adopted, found.refused, found.given_up, found.marked) == (0, shop.bought(), 1, 0)
    row = shop.row(job)
    assert (row.status, row.code, row.cost) == (FAILED, "bad_audio", paid)
    assert found.cost == paid
    assert run(shop) == Found()


def test_a_job_with_takes_left_keeps_the_rest_of_them(shop_on_both: Workshop) -> None:
    """Marked as one that may have been bought; repeated, the check adds nothing; others have theirs."""
    shop = shop_on_both
    shop.script(take=Take.TRUNCATED, times=1)
    batch = shop.batch()
    job = shop.job(text=TEXT, batch_id=batch, custom_id="a", use_cache=False)
    other = shop.job(text=TEXT, batch_id=batch, custom_id="a.1", use_cache=False)
    shop.run(job)
    assert shop.run(other).status == SUCCEEDED
    restored(shop, job, takes_used=0)
    found = run(shop)
    assert found == Found(unfinished=1, refused=1, cost=PRICE, marked=1)
    row = shop.row(job)
    assert (row.status, row.takes_used, row.recover, row.cost) == (QUEUED, 1, True, PRICE)
    assert run(shop) == Found(unfinished=1, marked=1)
    assert shop.run(job).status == SUCCEEDED
    assert shop.row(job).cost == 2 * PRICE


def test_a_take_without_a_price_counts_at_list_price(shop: Workshop) -> None:
    """As one that an older version has stored."""
    shop.script(take=Take.TRUNCATED, times=1)
    job = shop.job(text=TEXT)
    shop.run(job)
    (take,) = (shop.audio / "default/jobs/refused").iterdir()
    (sidecar,) = (shop.audio / ".ttsq/sidecars/default/jobs/refused").iterdir()
    assert take.name == f"{job}.1.wav"
    sidecar.write_text(sidecar.read_text().replace('"ttsq-cost"', '"x-cost"'))
    restored(shop, job, takes_used=0)
    found = run(shop)
    assert (found.refused, found.estimated) == (1, 1)
    assert found.cost > Decimal(0)
