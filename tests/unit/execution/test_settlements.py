"""Outcomes: from a verdict and a job's past to what becomes of the job, and what is written down as paid."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.factories import MODEL, NOW, a_claim, a_verdict, an_answer, some_audio
from worker.execution import settlements
from worker.execution.settlements import CAP_SECONDS, AttemptLimits
from worker.execution.spool import Receipt
from worker.segmind.verdicts import Verdict
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

BOUNDS = AttemptLimits(max_attempts=5, max_takes=3)
PRICE = MODELS[MODEL].price
LAST_ATTEMPT = {"attempt": 5, "attempts_used": 5}
LAST_TAKE = {"attempt": 3, "attempts_used": 3, "takes_used": 2}

FAILED, QUEUED, SCHEDULED = JobStatus.FAILED, JobStatus.QUEUED, JobStatus.SCHEDULED
REFUSED, BAD_TAKE, RETRY = VerdictKind.REFUSED, VerdictKind.BAD_TAKE, VerdictKind.RETRY
GATE, PACE = VerdictKind.GATE, VerdictKind.PACE


def settle(claim: Claim, verdict: Verdict, **answer: object) -> Settlement:
    """The settlement of a verdict that isn't a success."""
    return settlements.unsuccessful(claim, verdict, an_answer(**answer), BOUNDS, now=NOW, rng=random.Random(5))


@pytest.mark.parametrize(
    ("kind", "past", "status", "counts"),
    [
        (REFUSED, {}, FAILED, True),
        (REFUSED, LAST_ATTEMPT, FAILED, True),
        (GATE, {}, QUEUED, False),
        (GATE, LAST_ATTEMPT, QUEUED, False),
        (PACE, {}, QUEUED, False),
        (PACE, LAST_ATTEMPT, QUEUED, False),
        (BAD_TAKE, {}, QUEUED, True),
        (BAD_TAKE, {"takes_used": 1}, QUEUED, True),
        (BAD_TAKE, LAST_TAKE, FAILED, True),
        (BAD_TAKE, LAST_ATTEMPT, FAILED, True),
        (RETRY, {}, SCHEDULED, True),
        (RETRY, {"attempts_used": 4}, SCHEDULED, True),
        (RETRY, {"takes_used": 2}, SCHEDULED, True),
        (RETRY, LAST_ATTEMPT, FAILED, True),
    ],
)
def test_what_becomes_of_a_job(kind: VerdictKind, past: dict[str, int], status: JobStatus, counts: bool) -> None:
    """Account errors never end a job; its own errors do, once its attempts or takes are used up."""
    settlement = settle(a_claim(**past), a_verdict(kind))
    assert (settlement.status, settlement.counts) == (status, counts)
    assert settlement.verdict is kind
    assert settlement.bad_take is (kind is BAD_TAKE)
    assert (settlement.not_before is not None) is (status is SCHEDULED)
    assert (settlement.code, settlement.message) == (str(kind), "So it went.")


@given(
    kind=st.sampled_from([REFUSED, BAD_TAKE, RETRY, GATE, PACE]),
    used=st.integers(1, 9),
    takes=st.integers(0, 9),
    counts=st.booleans(),
)
def test_no_job_is_tried_beyond_its_bounds(kind: VerdictKind, used: int, takes: int, counts: bool) -> None:
    """Whatever the mixture of bad takes and failures: a counted try beyond either bound ends the job."""
    settlement = settle(a_claim(attempts_used=used, takes_used=takes), a_verdict(kind, counts=counts))
    if kind is BAD_TAKE and (takes + 1 >= BOUNDS.max_takes or used >= BOUNDS.max_attempts):
        assert settlement.status is FAILED
    if kind is RETRY and counts and used >= BOUNDS.max_attempts:
        assert settlement.status is FAILED
    if kind in {GATE, PACE} or (kind is RETRY and not counts):
        assert settlement.status is not FAILED


def test_a_network_that_is_down_uses_up_nothing() -> None:
    """A retry whose call never left this machine doesn't count, however often it happens, and its backoff grows."""
    settlement = settle(a_claim(attempt=400, attempts_used=5), a_verdict(RETRY, code="unreachable", counts=False))
    assert (settlement.status, settlement.counts) == (SCHEDULED, False)


@given(attempt=st.integers(1, 500), seed=st.integers())
def test_a_retry_waits_its_backoff(attempt: int, seed: int) -> None:
    """Between now and the cap."""
    settlement = settlements.unsuccessful(
        a_claim(attempt=attempt), a_verdict(RETRY), an_answer(), BOUNDS, now=NOW, rng=random.Random(seed)
    )
    assert settlement.not_before is not None
    assert NOW <= settlement.not_before <= NOW + timedelta(seconds=CAP_SECONDS)


def test_a_retry_heeds_the_apis_own_word() -> None:
    """Where the API said when to come back, the job doesn't come earlier; a word of the past changes nothing."""
    later = NOW + timedelta(minutes=20)
    assert settle(a_claim(), a_verdict(RETRY, reset_at=later)).not_before == later
    passed = settle(a_claim(), a_verdict(RETRY, reset_at=NOW - timedelta(minutes=1))).not_before
    assert passed is not None
    assert passed >= NOW


def test_a_pause_is_handed_on_to_the_dispatcher() -> None:
    """A 429's stamp is recorded with the attempt; it delays the account, not this job."""
    stamp = NOW + timedelta(seconds=30)
    settlement = settle(a_claim(), a_verdict(PACE, reset_at=stamp))
    assert (settlement.reset_at, settlement.not_before) == (stamp, None)


def test_a_gate_is_recorded_with_its_scope() -> None:
    """So that the dispatcher closes the right one."""
    assert settle(a_claim(), a_verdict(GATE, scope=GateScope.MODEL)).scope is GateScope.MODEL


@pytest.mark.parametrize("recover", [True, False])
def test_what_may_lie_somewhere_is_looked_for_again(recover: bool) -> None:
    """A job marked for recovery stays so until it ends."""
    assert settle(a_claim(recover=recover), a_verdict(RETRY)).recover is recover


def test_an_unclear_bill_is_flagged() -> None:
    """And carries no invented cost."""
    settlement = settle(a_claim(), a_verdict(RETRY, possibly_billed=True), status=None, cost=None)
    assert (settlement.possibly_billed, settlement.cost, settlement.cost_estimated) == (True, Decimal(0), False)


@pytest.mark.parametrize(
    ("spent", "past", "doubt"),
    [(False, {}, False), (False, LAST_ATTEMPT, True), (True, {}, True), (True, LAST_ATTEMPT, True)],
)
def test_what_the_next_attempt_asks_after_is_in_no_doubt(spent: bool, past: dict[str, int], doubt: bool) -> None:
    """The handle settles an unclear end of a submitted call, unless the handle is spent or the job has ended."""
    verdict = a_verdict(RETRY, possibly_billed=True, handle_spent=spent)
    settlement = settlements.unsuccessful(
        a_claim(**past), verdict, an_answer(cost=None), BOUNDS, handle="req-1", now=NOW, rng=random.Random(5)
    )
    assert settlement.possibly_billed is doubt
    assert settlement.spent_handle == ("req-1" if spent else None)


def test_a_failed_job_with_an_unfinished_run_is_in_doubt() -> None:
    """Even where this attempt's own end was clear: its run is never polled again."""
    settlement = settlements.unsuccessful(
        a_claim(**LAST_ATTEMPT), a_verdict(RETRY), an_answer(), BOUNDS, handle="req-1", now=NOW, rng=random.Random(5)
    )
    assert (settlement.status, settlement.possibly_billed) == (FAILED, True)


def test_an_interrupted_attempt_goes_back_at_once() -> None:
    """Unused, however many there were, and to be recovered from if it was so before."""
    claim = a_claim(**LAST_ATTEMPT, recover=True)
    settlement = settle(claim, a_verdict(VerdictKind.RELEASED, counts=False))
    assert (settlement.status, settlement.not_before, settlement.counts) == (QUEUED, None, False)
    assert settlement.recover


def test_a_call_that_is_followed_is_no_debt_yet() -> None:
    """Its cost is named once, by the attempt that ends it."""
    assert settlements.bill_so_far(an_answer(cost=None), followed=True).possibly_billed is False
    assert settlements.bill_so_far(an_answer(cost=None), followed=False).possibly_billed is True


def test_an_attempt_that_crashed_after_its_call_owns_up_to_it() -> None:
    """Named or estimated; and what was under way is in doubt."""
    bills = [
        settlements.bill_for(MODEL, Receipt(Decimal("0.0042"), "req-7")),
        settlements.bill_for(MODEL, Receipt()),
        settlements.Bill(possibly_billed=True),
    ]
    crashed = [
        settlements.crashed(a_claim(), ValueError("no"), BOUNDS, bill=bill, now=NOW, rng=random.Random(5))
        for bill in bills
    ]
    assert [(end.cost, end.cost_estimated) for end in crashed] == [
        (Decimal("0.0042"), False),
        (PRICE, True),
        (0, False),
    ]
    assert [end.possibly_billed for end in crashed] == [False, False, True]
    assert {end.recover for end in crashed} == {True}


@pytest.mark.parametrize("kind", [REFUSED, RETRY, GATE, PACE])
def test_only_what_the_api_named_is_charged_for_a_failure(kind: VerdictKind) -> None:
    """The registry's price is no cost of a call that brought nothing."""
    assert settle(a_claim(), a_verdict(kind), cost=None).cost == 0
    assert settle(a_claim(), a_verdict(kind), cost=Decimal("0.001")).cost == Decimal("0.001")


def test_a_bad_take_is_paid_for_even_where_no_price_was_named() -> None:
    """It was a 200: without a named cost the registry's price stands in, marked as estimated."""
    named, silent = settle(a_claim(), a_verdict(BAD_TAKE)), settle(a_claim(), a_verdict(BAD_TAKE), cost=None)
    assert (named.cost, named.cost_estimated) == (Decimal("0.0067"), False)
    assert (silent.cost, silent.cost_estimated) == (PRICE, True)


def test_a_model_that_left_the_registry_has_no_price() -> None:
    """Its cost is then what the API said, or unknown and written as zero."""
    assert settlements.cost_of("gone", None, billed=True) == settlements.Cost(Decimal(0), estimated=False)
    assert settlements.cost_of("gone", Decimal("0.3"), billed=True) == settlements.Cost(Decimal("0.3"), estimated=False)


def test_a_call_that_was_free_is_no_estimate() -> None:
    """A named cost of nothing is a cost."""
    assert settlements.cost_of(MODEL, Decimal(0), billed=True) == settlements.Cost(Decimal(0), estimated=False)


def test_a_success_records_what_was_stored_and_paid() -> None:
    """Audio, cost, request id and balance, all of the receipt."""
    receipt = Receipt(Decimal("0.0067"), "req-7", Decimal("3.5"))
    settlement = settlements.succeeded(a_claim(), some_audio(), receipt, verdict=VerdictKind.SUCCESS)
    assert settlement.status is JobStatus.SUCCEEDED
    assert settlement.audio == some_audio()
    assert (settlement.cost, settlement.cost_estimated) == (Decimal("0.0067"), False)
    assert (settlement.request_id, settlement.remaining_credits) == ("req-7", Decimal("3.5"))


def test_a_success_without_a_receipt_is_estimated_and_a_copy_is_free() -> None:
    """A lost receipt doesn't make a paid call free, and a copy of bought audio isn't paid again."""
    paid = settlements.succeeded(a_claim(), some_audio(), settlements.NO_RECEIPT, verdict=VerdictKind.SUCCESS)
    copied = settlements.succeeded(a_claim(), some_audio(), settlements.NO_RECEIPT, verdict=VerdictKind.CACHED)
    assert (paid.cost, paid.cost_estimated) == (PRICE, True)
    assert (copied.cost, copied.cost_estimated) == (Decimal(0), False)


def test_an_overtaken_take_is_owed_all_the_same() -> None:
    """It counts as no attempt, and the job's current attempt is to look for it."""
    settlement = settlements.overtaken(a_claim(), Receipt(Decimal("0.0067"), "req-7"))
    assert (settlement.verdict, settlement.cost, settlement.counts) == (VerdictKind.LATE, Decimal("0.0067"), False)
    assert settlement.recover


def test_a_job_handed_back_waits_only_if_it_must() -> None:
    """At once, or later after an error of this worker; no attempt is used up in either case."""
    now, later = (settlements.released(code="c", message="m", not_before=moment) for moment in (None, NOW))
    assert (now.status, later.status, later.not_before) == (QUEUED, SCHEDULED, NOW)
    assert not now.counts
    assert not later.counts
    assert now.recover


def test_a_job_handed_back_after_its_call_owns_up_to_the_cost() -> None:
    """A named cost is charged; an unnamed one of a call that was sent is flagged; a call never made is neither."""
    named, silent, unmade = (
        settlements.released(code="c", message="m", bill=bill)
        for bill in (
            settlements.bill_so_far(an_answer(), followed=False),
            settlements.bill_so_far(an_answer(cost=None), followed=False),
            settlements.NO_BILL,
        )
    )
    assert (named.cost, named.possibly_billed, named.request_id) == (Decimal("0.0067"), False, "req-1")
    assert (silent.cost, silent.possibly_billed) == (Decimal(0), True)
    assert (unmade.cost, unmade.possibly_billed, unmade.request_id) == (Decimal(0), False, None)
