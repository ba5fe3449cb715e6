"""The checker of histories reports every kind of breach that is planted, and nothing in a history without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.chaos import books, checks
from tests.chaos.event_timeline import Exit
from tests.chaos.history import AttemptEnd, History, JobEnd
from tests.chaos.violations import Breach
from worker.emulator.ledger import BillLine

NOW: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PRICE: Final = Decimal("0.0067")
BATCH: Final = UUID(int=1)
JOB, OTHER = UUID(int=11), UUID(int=12)


def a_job(job_id: UUID = JOB, **fields: Any) -> JobEnd:  # noqa: ANN401 - any field of it
    """A job that succeeded at its first attempt."""
    number = job_id.int
    plain = JobEnd(
        id=job_id,
        batch_id=BATCH,
        custom_id=f"{number}",
        text=f"text {number}",
        status=JobStatus.SUCCEEDED,
        attempt=1,
        cost=PRICE,
        cached=False,
        uri=f"s3://bucket/{number}.wav",
        sha256=f"sha {number}",
        code=None,
        message=None,
    )
    return replace(plain, **fields)


def another_job(status: JobStatus) -> JobEnd:
    """One of no batch, for which nothing was paid."""
    return a_job(UUID(int=13), batch_id=None, status=status, cost=Decimal(0))


def an_attempt(job_id: UUID = JOB, number: int = 1, **fields: Any) -> AttemptEnd:  # noqa: ANN401 - likewise
    """The attempt by which it did."""
    plain = AttemptEnd(
        job_id=job_id,
        number=number,
        worker_id=UUID(int=99),
        verdict=VerdictKind.SUCCESS,
        code=None,
        message=None,
        request_id=f"call {job_id.int}.{number}",
        cost=PRICE,
        cost_estimated=False,
        possibly_billed=False,
        take_uri=None,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=1),
    )
    return replace(plain, **fields)


def a_lost_attempt(job_id: UUID = JOB, number: int = 1) -> AttemptEnd:
    """An attempt that ended with its worker; the outcome of its call is unknown."""
    unknown = {"request_id": None, "cost": Decimal(0), "possibly_billed": True}
    return an_attempt(job_id, number, verdict=VerdictKind.LOST, **unknown)


def a_line(job_id: UUID = JOB, number: int = 1, cost: Decimal = PRICE) -> BillLine:
    """What the API charged for it."""
    return BillLine(request_id=f"call {job_id.int}.{number}", model="m", text=f"text {job_id.int}", cost=cost, at=0.0)


def good() -> History:
    """Two jobs. The second lost a worker in the middle of a call that was billed, and succeeded by the next."""
    return History(
        jobs=[a_job(), a_job(OTHER, attempt=2)],
        attempts=[an_attempt(), a_lost_attempt(OTHER), an_attempt(OTHER, 2)],
        bill=[a_line(), a_line(OTHER), a_line(OTHER, 2)],
        objects={"s3://bucket/11.wav": "sha 11", "s3://bucket/12.wav": "sha 12"},
        accepted={BATCH: 2},
    )


def breaches(history: History, *, permitted_again: int | None = None) -> list[Breach]:
    """What is found in it."""
    found = checks.violations(history, books.compare(history), permitted_again=permitted_again)
    return [violation.breach for violation in found]


def test_a_history_without_a_breach_has_none() -> None:
    """A call whose answer died with its worker is billed and in doubt; the sums differ by it and by nothing else."""
    history = good()
    compared = books.compare(history)
    assert breaches(history, permitted_again=1) == []
    assert (compared.charged, compared.billed) == (2 * PRICE, 3 * PRICE)
    assert compared.charged + sum(line.cost for line in compared.unheard) == compared.billed
    assert compared.again == 1


def test_a_call_reported_by_an_earlier_attempt_is_not_bought_again() -> None:
    """Of one request (v2) the first to tell has the cost, and the one that delivered has none."""
    told = an_attempt(verdict=VerdictKind.LATE, request_id="call 11.1")
    delivered = an_attempt(JOB, 2, request_id="call 11.1", cost=Decimal(0))
    history = replace(
        good(), jobs=[a_job(attempt=2), a_job(OTHER, attempt=2)], attempts=[told, delivered, *good().attempts[1:]]
    )
    assert breaches(history) == []
    assert books.compare(history).again == 1


Planted = Callable[[History], History]

PLANTED: Final[dict[str, tuple[Breach, Planted]]] = {
    "a job that was confirmed is gone": (Breach.LOST, lambda good: replace(good, accepted={BATCH: 3})),
    "a whole batch is gone": (Breach.LOST, lambda good: replace(good, accepted={BATCH: 2, UUID(int=2): 1})),
    "a job never ended": (
        Breach.UNFINISHED,
        lambda good: replace(good, jobs=[*good.jobs, another_job(JobStatus.RUNNING)]),
    ),
    "a job failed": (
        Breach.FAILED,
        lambda good: replace(good, jobs=[*good.jobs, another_job(JobStatus.FAILED)]),
    ),
    "two attempts ended one job": (
        Breach.RECORDED_TWICE,
        lambda good: replace(
            good, attempts=[*good.attempts, an_attempt(JOB, 2, verdict=VerdictKind.CACHED, cost=Decimal(0))]
        ),
    ),
    "no attempt ended a job that succeeded": (
        Breach.NOT_RECORDED,
        lambda good: replace(good, attempts=[an_attempt(verdict=VerdictKind.LATE), *good.attempts[1:]]),
    ),
    "an object is gone": (
        Breach.OBJECT_MISSING,
        lambda good: replace(good, objects={"s3://bucket/11.wav": "sha 11"}),
    ),
    "an object is another one": (
        Breach.OBJECT_CHANGED,
        lambda good: replace(good, objects={**good.objects, "s3://bucket/12.wav": "sha 11"}),
    ),
    "an object belongs to no job": (
        Breach.ORPHAN,
        lambda good: replace(good, objects={**good.objects, "s3://bucket/13.wav": "sha 13"}),
    ),
    "a charge was never billed": (
        Breach.CHARGED_UNBILLED,
        lambda good: replace(good, bill=[line for line in good.bill if line.text != "text 11"]),
    ),
    "a charge without a call was never billed": (
        Breach.CHARGED_UNBILLED,
        lambda good: replace(good, attempts=[an_attempt(request_id=None), *good.attempts[1:]], bill=good.bill[1:]),
    ),
    "one call is charged in two rows": (
        Breach.CHARGED_TWICE,
        lambda good: replace(
            good,
            jobs=[a_job(cost=2 * PRICE), good.jobs[1]],
            attempts=[*good.attempts, an_attempt(JOB, 2, verdict=VerdictKind.LATE, request_id="call 11.1")],
        ),
    ),
    "a charge is off in the last digit": (
        Breach.WRONG_COST,
        lambda good: replace(good, bill=[a_line(cost=PRICE + Decimal("0.000000000001")), *good.bill[1:]]),
    ),
    "a billed call without a record": (
        Breach.BILLED_UNNOTICED,
        lambda good: replace(good, bill=[*good.bill, a_line(JOB, 2)]),
    ),
    "a second billed call behind one doubt": (
        Breach.BILLED_UNNOTICED,
        lambda good: replace(good, bill=[*good.bill, a_line(OTHER, 3)]),
    ),
    "a billed call for a text of no job": (
        Breach.BILLED_UNNOTICED,
        lambda good: replace(good, bill=[*good.bill, a_line(UUID(int=13))]),
    ),
    "a job's cost isn't its attempts'": (
        Breach.WRONG_SUM,
        lambda good: replace(good, jobs=[a_job(cost=2 * PRICE), good.jobs[1]]),
    ),
    "an answer lies in a spool": (Breach.LEFT_IN_SPOOL, lambda good: replace(good, spooled=["host1: 1.audio"])),
    "messages lie in the broker": (Breach.LEFT_IN_BROKER, lambda good: replace(good, messages=3)),
    "a gate is closed": (Breach.GATE_CLOSED, lambda good: replace(good, gates=["storage: no bucket"])),
    "a worker was surprised": (Breach.SURPRISED, lambda good: replace(good, surprises=["attempt_crashed"])),
    "a worker left by itself": (
        Breach.LEFT_BY_ITSELF,
        lambda good: replace(good, exits=[Exit("host1", NOW, 1, signed_on=True, last_words="Traceback")]),
    ),
    "the run itself went wrong": (Breach.RUN_FAILED, lambda good: replace(good, trouble=["the broker is empty"])),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_every_planted_breach_is_reported(planted: str) -> None:
    """As what it is, and as nothing else."""
    breach, plant = PLANTED[planted]
    assert breaches(plant(good())) == [breach]


def test_more_calls_paid_to_no_use_than_were_in_flight_are_reported() -> None:
    """The bound is the caller's."""
    assert breaches(good(), permitted_again=0) == [Breach.BOUGHT_AGAIN]


def test_a_worker_that_never_signed_on_may_leave() -> None:
    """It found a service away, and its supervisor starts it again."""
    gone = Exit("host1", NOW, 1, signed_on=False, last_words="ttsq: the database can't be used")
    assert breaches(replace(good(), exits=[gone])) == []


def test_a_refused_take_is_named_by_its_attempt() -> None:
    """An object that a row of the ledger names belongs to it."""
    refused = an_attempt(JOB, 2, verdict=VerdictKind.BAD_TAKE, cost=Decimal(0), take_uri="s3://bucket/refused.wav")
    history = good()
    objects = {**history.objects, "s3://bucket/refused.wav": "sha"}
    assert breaches(replace(history, attempts=[*history.attempts, refused], objects=objects)) == []


def test_twins_share_a_text_and_its_bill() -> None:
    """One is bought and the other copied, or both are bought: either way each charge is one line."""
    twin = a_job(OTHER, text="text 11", cached=True, cost=Decimal(0))
    copied = an_attempt(OTHER, verdict=VerdictKind.CACHED, request_id=None, cost=Decimal(0))
    history = replace(good(), jobs=[a_job(), twin], attempts=[an_attempt(), copied], bill=[a_line()])
    assert breaches(history) == []
    bought = replace(twin, cached=False, cost=PRICE)
    both = [an_attempt(), an_attempt(OTHER, request_id="call 11.2")]
    assert breaches(replace(history, jobs=[a_job(), bought], attempts=both, bill=[a_line(), a_line(JOB, 2)])) == []


def test_a_charge_that_lost_its_call_finds_its_line() -> None:
    """An answer whose receipt was lost is charged at the model's price, and takes a line that no other row names."""
    nameless = an_attempt(JOB, 2, verdict=VerdictKind.LATE, request_id=None)
    history = replace(good(), jobs=[a_job(cost=2 * PRICE), good().jobs[1]], attempts=[nameless, *good().attempts])
    assert breaches(replace(history, bill=[*history.bill, a_line(JOB, 2)])) == []


def test_every_breach_of_a_history_can_be_planted() -> None:
    """What isn't planted above is what a part of the suite finds by its own figures."""
    assert {breach for breach, _ in PLANTED.values()} | {Breach.BOUGHT_AGAIN, Breach.TOO_SLOW} == set(Breach)
