"""A worker that must abandon its jobs, because it is stopping or because its heartbeat was lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, During, Workshop, client_of, opened
from tests.databases import BOTH
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.execution.heartbeat import FRESH_SECONDS


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An API."""
    with Emulator(EmulatorConfig(audio_bytes=24_044)) as running:
        yield running


@pytest.fixture(params=BOTH)
def shop(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Iterator[Workshop]:
    """A worker, once on each database."""
    client = client_of(emulator)
    yield opened(Workshop(request.getfixturevalue(f"on_{request.param}"), emulator, tmp_path, During(client)))
    client.close()


def test_a_call_in_flight_is_given_up_and_its_answer_found_later(shop: Workshop) -> None:
    """No attempt is used up, the row says that it may have been billed; a late answer saves a new purchase."""
    left: list[int] = []
    job = shop.job()
    shop.client.event = lambda: left.append(shop.executor.give_up())
    row = shop.run(job)

    (cut,) = shop.books(job)
    assert left == [0]
    assert (row.status, row.attempts_used, row.recover, row.worker_id) == (JobStatus.QUEUED, 0, True, None)
    assert (cut.verdict, cut.code, cut.possibly_billed, cut.cost) == (VerdictKind.RELEASED, "worker_left", True, 0)
    assert f"{job}.1.audio" in shop.spooled()
    row = shop.restarted().run(job)
    assert (row.status, row.cost, row.attempts_used) == (JobStatus.SUCCEEDED, PRICE, 1)
    assert shop.bought() == 1


def test_what_was_not_called_yet_is_given_up_unbilled(shop: Workshop) -> None:
    """A job waits for its store; no call is in flight for it."""
    shop.run(shop.job())
    left: list[int] = []
    job = shop.job(recover=True, attempt=1)
    shop.audio.rename(shop.folder / "away")

    def leave() -> None:
        left.append(shop.executor.give_up())
        shop.waits.set()

    shop.waits.steps = [leave]
    row = shop.run(job)
    (cut,) = shop.books(job)
    assert left == [0]
    assert (row.status, row.attempts_used) == (JobStatus.QUEUED, 0)
    assert (cut.code, cut.possibly_billed) == ("worker_left", False)
    assert shop.bought() == 1


def test_a_message_that_is_being_claimed_counts_as_left(shop: Workshop) -> None:
    """Its outcome is unknown: the worker's row must stay, so that the worker is found dead."""
    job = shop.job()
    shop.executor._enter(job)
    assert shop.executor.give_up() == 1


def test_with_nothing_in_hand_nothing_is_written(shop: Workshop) -> None:
    """Once more does no harm."""
    shop.run(shop.job())
    assert shop.executor.give_up() == 0
    assert shop.executor.give_up() == 0


def test_a_worker_that_has_lost_touch_begins_no_call(shop: Workshop) -> None:
    """What came between claim and call took long, and others may have the job by now: it is handed back, unpaid."""
    shop.run(shop.job())
    job = shop.job(recover=True, attempt=1)
    shop.audio.rename(shop.folder / "away")

    def mend_too_late() -> None:
        (shop.folder / "away").rename(shop.audio)
        shop.clock.seconds += FRESH_SECONDS + 1

    shop.waits.steps = [mend_too_late]
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.code) == (JobStatus.QUEUED, 0, "cut_off")
    assert shop.bought() == 1


def test_a_worker_that_reconnects_checks_an_old_claim_before_it_pays(shop: Workshop) -> None:
    """Its heart beats, but its job went on elsewhere while it was silent: nothing is bought for it here."""
    shop.run(shop.job())
    job = shop.job(recover=True, attempt=1)
    shop.audio.rename(shop.folder / "away")

    def come_back_too_late() -> None:
        (shop.folder / "away").rename(shop.audio)
        shop.die()
        shop.revive()

    shop.clock.seconds -= FRESH_SECONDS + 1  # the database's time doesn't jump: the claim is noted as so much older
    shop.waits.steps = [come_back_too_late]
    row = shop.run(job)
    assert row.status == JobStatus.QUEUED
    assert shop.bought() == 1
    assert [ended.possibly_billed for ended in shop.books(job)] == [False]
