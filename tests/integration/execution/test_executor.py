"""One attempt from claim to record, against the emulator, a folder store and real databases: its outcome and its cost.

Waiting is passed in: where the executor would wait, the test repairs what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest
from structlog.testing import capture_logs

from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, Workshop, client_of
from tests.factories import MODEL, OTHER_MODEL
from worker.audio.take import accept
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.responses import Ending
from worker.emulator.faults import Take
from worker.emulator.server import Emulator

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


def test_the_log_line_of_an_attempt_carries_its_ids(shop: Workshop) -> None:
    """From it an operator finds the job, the tenant, the batch, the worker and the API's own record."""
    job = shop.job()
    with capture_logs() as logs:
        shop.run(job)
    (line,) = [one for one in logs if one["event"] == "attempt"]
    (attempt,) = shop.books(job)
    assert (line["job"], line["tenant"], line["batch"], line["worker"]) == (
        str(job),
        "default",
        None,
        str(attempt.worker_id),
    )
    assert (line["api_request"], line["call_ms"]) == (attempt.request_id, attempt.call_ms)


def test_a_method_that_is_not_allowed_holds_the_jobs_until_a_call_has_succeeded(shop: Workshop) -> None:
    """A wrong address must not fail a queue; with the right one, it is the request that is wrong."""
    shop.script(status=405, message="Method Not Allowed", times=2)
    job = shop.job()
    for _ in range(2):
        row = shop.run(job)
        assert (row.status, row.attempts_used) == (QUEUED, 0)
    attempt = shop.books(job)[-1]
    assert (attempt.verdict, attempt.scope, attempt.code) == (VerdictKind.GATE, GateScope.MODEL, "wrong_address")
    assert "check SEGMIND_BASE_URL" in attempt.message
    assert shop.run(job).status == SUCCEEDED
    shop.script(status=405, message="Method Not Allowed", times=1)
    row = shop.run(shop.job())
    assert (row.status, row.code) == (FAILED, "our_request")


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
