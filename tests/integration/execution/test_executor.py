"""One attempt from claim to record, against the emulator, a folder store and real databases: what ends how, and what it
costs. Waiting is passed in: where the executor would wait, the test mends what it waits for.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from api_models.spending import By
from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, During, Workshop, as_it_came, client_of
from tests.factories import MODEL, OTHER_MODEL, stored
from tests.servers.postgres import Postgres
from worker.audio.take import accept
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.responses import Ending
from worker.emulator.faults import Take
from worker.emulator.server import Emulator
from worker.execution.copies import CopySource
from worker.execution.heartbeat import FRESH_SECONDS
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt
from worker.segmind.answers import Answer
from worker.segmind.v1 import ClientV1
from worker.store import account, schema
from worker.store.database import Database
from worker.store.money import spending
from worker.store.transitions import actions, claims

IMPATIENT_SECONDS: Final = 0.2
SUCCEEDED, FAILED, QUEUED, SCHEDULED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
)


def test_a_success_is_stored_and_recorded(shop_on_both: Workshop) -> None:
    """The row names the very object in the store and what it cost, and the spool is empty again."""
    shop = shop_on_both
    job = shop.job(tenant="ann", custom_id="intro")
    row, found = shop.run(job), shop.store.head(f"ann/jobs/{job}.wav")
    assert found is not None
    assert (row.status, row.attempts_used, row.cached, row.cost) == (SUCCEEDED, 1, False, PRICE)
    assert (row.uri, row.sha256, row.audio_bytes) == (found.uri, found.sha256, found.size)
    assert row.content_type == found.content_type == "audio/wav"
    assert row.duration_ms == accept(shop.file(job, tenant="ann")).duration_ms
    assert row.started_at <= row.finished_at
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.cost, attempt.cost_estimated) == (VerdictKind.SUCCESS, PRICE, False)
    assert attempt.remaining_credits == Decimal(1_000) - PRICE
    assert attempt.request_id
    assert shop.spooled() == []


def test_a_batch_has_its_audio_at_its_destination(shop: Workshop) -> None:
    """Flat in its own folder, by the names of its lines."""
    out = shop.folder / "out"
    batch = shop.batch(output_url=out.as_uri())
    row = shop.run(shop.job(batch_id=batch, custom_id="0007"))
    assert row.uri == (out / "0007.wav").as_uri()
    assert (out / "0007.wav").is_file()


def test_a_cost_that_the_api_does_not_name_is_estimated(shop: Workshop) -> None:
    """The registry's price stands in, and the ledger says so."""
    shop.script(without_headers=("x-cost",))
    job = shop.job()
    assert shop.run(job).cost == PRICE
    assert shop.books(job)[0].cost_estimated


@pytest.mark.parametrize("take", [Take.HEADERLESS, Take.JSON_URL, Take.JSON_BASE64])
def test_audio_in_another_guise_is_stored_as_wav(shop: Workshop, take: Take) -> None:
    """Whatever it came in, the object is a WAV that plays."""
    shop.script(take=take)
    row = shop.run(shop.job(custom_id="a"))
    assert row.status == SUCCEEDED
    assert accept(shop.file(row.id)).duration_ms == row.duration_ms
    assert shop.spooled() == []


def test_a_duplicate_message_buys_nothing(shop: Workshop) -> None:
    """Delivered again, during the attempt or after it, it finds nothing to claim."""
    job = shop.job()
    shop.client.event = lambda: shop.executor.run(job, 0)
    assert shop.run(job).status == SUCCEEDED
    shop.executor.run(job, 0)
    shop.executor.run(job, 1)
    assert shop.bought() == 1
    assert len(shop.books(job)) == 1


def test_many_attempts_at_once_keep_apart(shop_on_both: Workshop) -> None:
    """Thirty jobs on ten threads: each is bought once, each has its own object, and nothing is left over."""
    shop = shop_on_both
    jobs = [shop.job() for _ in range(30)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(shop.executor.run, jobs, [0] * len(jobs)))
    rows = [shop.row(job) for job in jobs]
    assert {row.status for row in rows} == {SUCCEEDED}
    assert len({row.uri for row in rows}) == shop.bought() == len(jobs)
    assert shop.executor.under_way() == 0
    assert shop.spooled() == []


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
    destinations = shop.executor.destinations
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


# What the API answers.


@pytest.mark.parametrize("take", [Take.HEADER_ONLY, Take.EMPTY])
def test_bad_takes_are_paid_for_and_bounded(shop: Workshop, take: Take) -> None:
    """Each is owned up to; after the last one permitted the job fails, and says why."""
    shop.script(take=take)
    job = shop.job()
    rows = [shop.run(job) for _ in range(BOUNDS.max_takes)]
    assert [row.status for row in rows] == [QUEUED, QUEUED, FAILED]
    assert (rows[-1].code, rows[-1].takes_used, rows[-1].cost) == ("bad_audio", 3, 3 * PRICE)
    assert shop.emulator.state().billed == rows[-1].cost
    assert [attempt.verdict for attempt in shop.books(job)] == [VerdictKind.BAD_TAKE] * 3
    assert list(shop.audio.glob("**/*.wav")) == []


def test_a_bad_take_is_followed_by_a_good_one(shop: Workshop) -> None:
    """Both are in the price."""
    shop.script(take=Take.HEADER_ONLY, times=1)
    job = shop.job()
    shop.run(job)
    row = shop.run(job)
    assert (row.status, row.cost, row.code, row.takes_used) == (SUCCEEDED, 2 * PRICE, None, 1)


def test_a_refused_text_fails_with_the_apis_words(shop_on_both: Workshop) -> None:
    """At once, alone, unpaid."""
    shop = shop_on_both
    shop.script(status=400, message="Invalid parameter text: not in this house", times=1)
    row = shop.run(shop.job())
    assert (row.status, row.code, row.cost) == (FAILED, "invalid_request", 0)
    assert "not in this house" in row.message
    assert "status 400" in row.detail


def key_revoked(emulator: Emulator) -> None:
    """401."""
    emulator.admin.account(key_valid=False)


def out_of_credit(emulator: Emulator) -> None:
    """406."""
    emulator.admin.account(credits=Decimal("0.001"))


def spend_limit(emulator: Emulator) -> None:
    """406."""
    emulator.admin.account(spend_limit_reached=True)


def unknown_model(emulator: Emulator) -> None:
    """404."""
    emulator.admin.model(MODEL, ModelState.NOT_FOUND)


@pytest.mark.parametrize(
    ("fail", "scope", "code"),
    [
        (key_revoked, GateScope.ACCOUNT, "bad_key"),
        (out_of_credit, GateScope.ACCOUNT, "insufficient_credits"),
        (spend_limit, GateScope.ACCOUNT, "spend_limit"),
        (unknown_model, GateScope.MODEL, "model_not_found"),
    ],
)
def test_an_account_error_releases_the_job(
    shop: Workshop, fail: Callable[[Emulator], None], scope: GateScope, code: str
) -> None:
    """No attempt is used up, however often it happens; the ledger shows the dispatcher which gate to close."""
    fail(shop.emulator)
    job = shop.job()
    for _ in range(BOUNDS.max_attempts + 2):
        row = shop.run(job)
        assert (row.status, row.attempts_used, row.cost) == (QUEUED, 0, 0)
    assert {(attempt.verdict, attempt.scope, attempt.code) for attempt in shop.books(job)} == {
        (VerdictKind.GATE, scope, code)
    }
    shop.emulator.admin.reset()
    assert shop.run(job).status == SUCCEEDED


def test_too_many_requests_hand_the_job_back_with_the_stamp(shop: Workshop) -> None:
    """The API's word on when to come back goes to the dispatcher."""
    reset = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=3)
    shop.script(status=429, headers={"x-rate-limit-reset-at-utc": reset.isoformat()}, times=1)
    job = shop.job()
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.not_before) == (QUEUED, 0, None)
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.reset_at) == (VerdictKind.PACE, reset)


def test_a_server_error_is_retried_a_limited_number_of_times(shop: Workshop) -> None:
    """Scheduled for after its backoff; failed with the last permitted attempt."""
    shop.script(status=500)
    job = shop.job()
    for used in range(1, BOUNDS.max_attempts):
        row = shop.run(job)
        assert (row.status, row.attempts_used) == (SCHEDULED, used)
        assert row.not_before >= row.started_at
    row = shop.run(job)
    assert (row.status, row.code, row.cost) == (FAILED, "server_error", 0)


def test_a_call_without_an_answer_may_have_been_billed(shop: Workshop) -> None:
    """A read that times out is flagged, because its billing is unknown."""
    shop.script(delay_seconds=IMPATIENT_SECONDS * 5, times=1)
    job = shop.job()
    with closing(client_of(shop.emulator, read_seconds=IMPATIENT_SECONDS)) as impatient:
        shop.client.client = impatient
        row = shop.run(job)
    assert (row.status, row.attempts_used, row.cost, row.code) == (SCHEDULED, 1, 0, "timeout")
    assert shop.books(job)[0].possibly_billed


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.LOST])
def test_a_call_that_is_cut_off_is_flagged_and_tried_again(shop: Workshop, ending: Ending) -> None:
    """Billed or not: from here both look alike."""
    shop.script(ending=ending, times=1)
    job = shop.job()
    assert shop.run(job).status == SCHEDULED
    assert shop.run(job).status == SUCCEEDED
    assert [attempt.possibly_billed for attempt in shop.books(job)] == [True, False]


def test_a_model_error_is_recorded_under_its_name(shop: Workshop) -> None:
    """The other model's jobs run."""
    unknown_model(shop.emulator)
    assert shop.run(shop.job()).status == QUEUED
    other = shop.neighbour()
    assert other.run(other.job(model=OTHER_MODEL)).status == SUCCEEDED


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
    shop.executor.stopping.set()
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


# Errors of this machine, of the store, of the database.


def test_a_full_spool_buys_nothing(shop: Workshop) -> None:
    """The job goes back for a while, with no attempt used, and the ledger says what is wrong."""
    full = shop.neighbour()
    full.min_free_bytes = 2**62
    row = full.run(shop.job())
    assert (row.status, row.attempts_used, row.cost) == (SCHEDULED, 0, 0)
    assert "free some space" in row.message
    assert shop.emulator.state().calls == 0


def test_a_spool_that_cannot_be_written_buys_nothing(shop: Workshop) -> None:
    """A file stands where its folder was: found out before the call is paid for."""
    shutil.rmtree(shop.spool.folder)
    shop.spool.folder.write_text("in the way")
    job = shop.job()
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.code) == (SCHEDULED, 0, "spool_trouble")
    assert shop.emulator.state().calls == 0
    shop.spool.folder.unlink()
    shop.spool.prepare()
    assert shop.run(job).status == SUCCEEDED


def test_a_receipt_that_cannot_be_written_costs_nothing_extra(shop: Workshop) -> None:
    """The audio is there and paid for: it is delivered, and its cost is known, receipt or none."""
    job = shop.job()
    shop.client.event = lambda: shop.spool.path_for(job, 1).with_suffix(".receipt").symlink_to("nowhere/receipt")
    row = shop.run(job)
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert shop.bought() == 1


def test_an_outage_of_the_store_is_waited_for(shop_on_both: Workshop) -> None:
    """The storage gate closes, so that nothing more is bought; mended, it opens, and the take in hand is stored."""
    shop = shop_on_both
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    closed: list[list[str]] = []

    def mend() -> None:
        closed.append(shop.gates())
        (shop.folder / "away").rename(shop.audio)

    shop.waits.steps = [lambda: closed.append(shop.gates()), mend]
    row = shop.run(shop.job())
    assert closed == [["storage"], ["storage"]]
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert shop.gates() == []
    assert shop.bought() == 2


def test_a_take_that_waits_is_the_probe_of_its_store(shop_on_both: Workshop) -> None:
    """None is made while it tries by itself: a disk that is full for a take may have room for a probe."""
    shop = shop_on_both
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    probes_at: list[datetime] = []

    def look() -> None:
        with shop.database.read() as connection:
            (gate,) = account.closed_gates(connection)
            next_try_at = shop.database.now(connection) + timedelta(seconds=shop.waits.waited[-1])
        assert gate.next_probe_at > next_try_at
        probes_at.append(gate.next_probe_at)

    shop.waits.steps = [look] * 7 + [lambda: (shop.folder / "away").rename(shop.audio)]
    assert shop.run(shop.job()).status == SUCCEEDED
    assert probes_at == sorted(set(probes_at))
    assert shop.waits.waited == [0.5, 1, 2, 4, 8, 15, 15, 15]


def test_a_store_may_be_away_for_as_long_as_it_likes(shop: Workshop) -> None:
    """Six hours of tries, the last as good as the first."""
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    shop.waits.steps = [lambda: None] * 1_440 + [lambda: (shop.folder / "away").rename(shop.audio)]
    row = shop.run(shop.job())
    assert (row.status, row.attempts_used, shop.bought()) == (SUCCEEDED, 1, 2)


def test_a_worker_that_stops_during_an_outage_of_the_store_keeps_the_take(shop: Workshop) -> None:
    """Handed back with the audio in the spool, the job is finished by the next start without a second call."""
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    shop.waits.steps = [shop.waits.set]
    job = shop.job()
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.recover) == (QUEUED, 0, True)
    assert f"{job}.1.audio" in shop.spooled()
    shop.waits.clear()
    (shop.folder / "away").rename(shop.audio)
    row = shop.run(job)
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    assert shop.bought() == 2


def test_a_take_that_is_left_behind_is_paid_for_at_once(shop: Workshop) -> None:
    """Its worker stopped during an outage of the store, and another machine bought anew: both costs are recorded."""
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")
    shop.waits.steps = [shop.waits.set]
    job = shop.job()
    assert shop.run(job).cost == PRICE
    (shop.folder / "away").rename(shop.audio)
    row = shop.neighbour().run(job)
    assert (row.status, row.cost) == (SUCCEEDED, 2 * PRICE)
    assert shop.emulator.state().billed == 3 * PRICE


def test_an_unexpected_error_after_the_call_loses_no_audio(shop: Workshop) -> None:
    """The cost is owned up to, the answer stays in the spool, and the next attempt delivers it for nothing more."""
    shop.script(take=Take.HEADERLESS)
    job = shop.job()
    in_the_way = shop.spool.path_for(job, 1).with_name(f"{job}.1.wav.part")
    shop.client.event = in_the_way.mkdir
    row = shop.run(job)
    assert (row.status, row.code, row.cost, row.recover) == (SCHEDULED, "internal_error", PRICE, True)
    in_the_way.rmdir()
    row = shop.run(job)
    assert (row.status, row.cost, shop.bought()) == (SUCCEEDED, PRICE, 1)
    assert shop.spooled() == []


def test_an_unexpected_error_during_the_call_is_in_doubt(shop: Workshop) -> None:
    """How far the call got is unknown."""
    job = shop.job()
    shop.client.event = lambda: next(iter(()))
    assert shop.run(job).code == "internal_error"
    assert shop.books(job)[0].possibly_billed


def test_an_unexpected_error_ends_the_attempt(shop: Workshop) -> None:
    """An unexpected error uses up an attempt and is logged; the worker survives, and the job is queued again."""
    batch = shop.batch(output_url="ftp://nowhere/audio")
    job = shop.job(batch_id=batch, custom_id="a")
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.recover) == (SCHEDULED, 1, True)
    assert "ftp://nowhere/audio" in row.detail
    last = shop.job(batch_id=batch, custom_id="b", attempts_used=BOUNDS.max_attempts - 1)
    assert shop.run(last).status == FAILED
    assert shop.bought() == 0


def test_a_database_that_fails_within_an_attempt_costs_the_job_nothing(shop: Workshop) -> None:
    """Released for a while, no attempt used; the job resumes once the database works again."""
    batch = shop.batch()
    job = shop.job(batch_id=batch, custom_id="a")
    with shop.database.begin() as connection:
        connection.execute(text("ALTER TABLE batches RENAME TO away"))
    row = shop.run(job)
    assert (row.status, row.attempts_used, row.code) == (SCHEDULED, 0, "database_trouble")
    with shop.database.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO batches"))
    assert shop.run(job).status == SUCCEEDED
    assert shop.bought() == 1


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that this test may kill."""
    with Postgres() as server:
        yield server


@pytest.mark.servers
def test_a_payment_is_recorded_when_the_database_is_back(
    own_postgres: Postgres, emulator: Emulator, client: ClientV1, tmp_path: Path
) -> None:
    """Gone during the call, it is asked again and again; a message that comes meanwhile is dropped and buys nothing."""
    database = Database(own_postgres.create_database("queue"), connections=4)
    with closing(database):
        schema.upgrade(database)
        shop = Workshop(database, emulator, tmp_path, During(client))
        job, other = shop.job(), shop.job()
        shop.client.event = own_postgres.kill
        shop.waits.steps = [lambda: shop.executor.run(other, 0), own_postgres.restart]
        shop.executor.run(job, 0)
        row = shop.row(job)
        assert (row.status, row.cost) == (SUCCEEDED, PRICE)
        assert shop.row(other).status == JobStatus.DISPATCHED
        assert len(shop.books(job)) == 1
        assert shop.bought() == 1
        assert shop.spooled() == []
        assert shop.waits.waited == [0.2, 0.5]


def test_a_claim_whose_answer_was_lost_is_released(shop: Workshop) -> None:
    """The database says that a job runs here, and it doesn't: the second look in a row hands it back, unused."""
    executor = shop.executor
    job = shop.job()
    with shop.database.begin() as connection:
        now = shop.database.now(connection)
        assert claims.claim(connection, job, 0, worker_id=shop.worker_id, now=now) is not None
    executor.look_for_orphans()
    with shop.database.read() as connection:
        assert stored(connection, job).status == JobStatus.RUNNING
    executor.look_for_orphans()
    with shop.database.read() as connection:
        row = stored(connection, job)
    assert (row.status, row.attempts_used, row.recover) == (QUEUED, 0, True)
