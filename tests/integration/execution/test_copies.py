"""Copies of bought audio: if one source is missing, changed or unreachable, others are tried before paying again."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from tests.attempt_harness import Workshop
from tests.servers.s3 import Bucket
from worker.store.tables.jobs import Job
from worker.store.transitions import dispatches, followers

SAME = {"text": "Say it once."}


def forget(shop: Workshop, *files: Path) -> None:
    """Files deleted by hand, together with what the folder remembers of their contents."""
    for file in files:
        file.unlink()
    for content in (shop.audio / ".ttsq/contents").iterdir():
        content.unlink()


def bought(shop: Workshop, count: int) -> list[UUID]:
    """`count` jobs with one content, each with its own object."""
    return [shop.run(shop.job(**SAME)).id for _ in range(count)]


def send_for_a_copy(shop: Workshop, source: UUID) -> UUID:
    """A dispatched job that must not buy."""
    job = shop.job(**SAME)
    with shop.database.begin() as connection:
        followers.send_for_copies(connection, {job: source})
    return job


def test_any_copy_will_do(shop_on_both: Workshop) -> None:
    """The first and the named one are gone by hand: the third is copied, and nothing is paid."""
    shop = shop_on_both
    first, second, third = bought(shop, 3)
    forget(shop, shop.file(first), shop.file(second))
    row = shop.run(shop.job(**SAME))
    assert (row.status, row.cached, shop.bought()) == (JobStatus.SUCCEEDED, True, 1)
    assert shop.file(third).read_bytes() == shop.file(row.id).read_bytes()


def test_a_folder_of_files_that_is_gone_hides_no_other(shop_on_both: Workshop) -> None:
    """More copies of one batch are missing than are tried: the copy of an older batch is found."""
    shop = shop_on_both
    [old] = bought(shop, 1)
    batch = shop.batch()
    newer = [shop.run(shop.job(**SAME, batch_id=batch, custom_id=f"{number}")) for number in range(40)]
    forget(shop, *(Path(row.uri.removeprefix("file://")) for row in newer))
    row = shop.run(shop.job(**SAME))
    assert (row.cached, shop.bought()) == (True, 1)
    assert shop.file(old).read_bytes() == shop.file(row.id).read_bytes()


def test_an_overwritten_object_is_no_source(shop_on_both: Workshop) -> None:
    """Something else stands under its name; the other copy is taken."""
    shop = shop_on_both
    first, second = bought(shop, 2)
    forget(shop)
    shop.file(first).write_bytes(b"something else")
    row = shop.run(shop.job(**SAME))
    assert (row.cached, shop.bought()) == (True, 1)
    assert shop.file(second).read_bytes() == shop.file(row.id).read_bytes()


def test_a_job_that_was_sent_for_a_copy_buys_nothing(shop_on_both: Workshop) -> None:
    """Where there is none it goes back, at the cost of no attempt, and the dispatcher reads why."""
    shop = shop_on_both
    [source] = bought(shop, 1)
    forget(shop, shop.file(source))
    job = send_for_a_copy(shop, source)
    shop.executor.run(job, 0)
    row = shop.row(job)
    assert (row.status, row.attempts_used, row.recover, row.follows) == (JobStatus.QUEUED, 0, False, None)
    assert (row.code, shop.bought()) == (followers.COPY_GONE, 1)


def test_a_source_purged_before_the_claim_is_no_leave_to_buy(shop_on_both: Workshop) -> None:
    """Between the election and the copy the row's audio was removed."""
    shop = shop_on_both
    [source] = bought(shop, 1)
    job = send_for_a_copy(shop, source)
    with shop.database.begin() as connection:
        connection.execute(update(Job).where(Job.id == source).values(purged_at=shop.database.now(connection)))
    shop.executor.run(job, 0)
    assert (shop.row(job).status, shop.bought()) == (JobStatus.QUEUED, 1)


def test_the_one_that_is_elected_buys(shop_on_both: Workshop) -> None:
    """A later dispatch of the same job, this time as the one that leads."""
    shop = shop_on_both
    [source] = bought(shop, 1)
    forget(shop, shop.file(source))
    job = send_for_a_copy(shop, source)
    shop.executor.run(job, 0)
    with shop.database.begin() as connection:
        now = shop.database.now(connection)
        assert dispatches.dispatch(connection, [job], worker_id=None, now=now)
    shop.executor.run(job, 1)
    assert (shop.row(job).status, shop.row(job).cached, shop.bought()) == (JobStatus.SUCCEEDED, False, 2)


def test_audio_in_a_store_of_another_kind_is_carried_over(
    shop: Workshop, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch's folder and a bucket can't copy directly: the audio passes through the worker, without a purchase."""
    for name, value in s3.server.environment().items():
        monkeypatch.setenv(name, value)
    bought(shop, 1)
    batch = shop.batch(output_url=s3.url)
    row = shop.run(shop.job(**SAME, batch_id=batch, custom_id="there"))
    assert (row.status, row.cached, shop.bought()) == (JobStatus.SUCCEEDED, True, 1)
    assert row.uri.startswith("s3://")
    assert not shop.spooled()
