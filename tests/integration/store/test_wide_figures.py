"""Numbers from outside that fit no column: the call is recorded once with the known rest, and no other call's
record suffers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from api_models.jobs import JobIn
from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import Workshop
from tests.factories import MODEL, NOW, a_settlement, add_job, attempt_row, ledger, stored
from tests.gateway import Running, running
from tests.integration.execution.test_recorder import Desk, NoWait
from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.execution.destinations import Destinations
from worker.execution.heartbeat import Heartbeat
from worker.execution.recorder import Recorder
from worker.execution.spool import Spool
from worker.segmind import account
from worker.segmind.answers import Credits
from worker.store.database import Database
from worker.store.money import balances
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import claims as job_claims
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import StoredAudio
from worker.store.types import MAX_DOLLARS, MAX_WHOLE, AmountError, Money
from worker.store.writing.groups import carried_out

PRICE: Final = MODELS[MODEL].price
SOUND: Final = StoredAudio("file:///a.wav", "audio/wav", 100, "0" * 64, 1_000)
"""What a good take is recorded with."""


@pytest.mark.parametrize(
    "headers",
    [
        {"x-cost": "99999999"},
        {"x-cost": "9223373"},
        {"x-cost": "-1"},
        {"x-cost": "NaN"},
        {"x-cost": "1e99"},
        {"x-cost": "free"},
        {"x-remaining-credits": "10000000"},
        {"x-remaining-credits": "-99999999999"},
        {"x-remaining-credits": "1E+30"},
        {"x-remaining-credits": "NaN", "x-generation-time": "9" * 12},
        {"x-request-id": "é" * 5_000, "x-generation-time": "inf"},
        {"content-type": "audio/" + "w" * 1_000},
    ],
    ids=lambda headers: "+".join(f"{name}={value[:12]}" for name, value in headers.items()),
)
def test_a_good_answer_is_recorded_whatever_its_figures(shop_on_both: Workshop, headers: dict[str, str]) -> None:
    """In one attempt; a cost that no call has is replaced by the list price, and shown."""
    shop_on_both.script(headers=headers)
    job = shop_on_both.job()
    row = shop_on_both.run(job)
    assert row.status == JobStatus.SUCCEEDED, row
    with shop_on_both.database.read() as connection:
        (attempt,) = ledger(connection, job)
    assert (attempt.cost, attempt.cost_estimated) == (PRICE, "x-cost" in headers)
    assert row.attempts_used == 1
    if "x-cost" in headers:
        assert headers["x-cost"] in row.detail
    assert attempt.remaining_credits is None or abs(attempt.remaining_credits) <= MAX_DOLLARS


def test_a_balance_beyond_its_column_is_the_most_that_it_holds(database: Database) -> None:
    """An account with so much isn't empty: the free check of it opens its gate."""
    most = account.amount("900000000")
    assert most == account.MAX_AMOUNT
    total = Credits(paid=most, free=most).total
    with database.begin() as connection:
        balances.note(connection, total, NOW)
        last = balances.last(connection)
    assert last is not None
    assert last.remaining == account.MAX_AMOUNT


@pytest.mark.parametrize("amount", ["9000000.01", "-9223373", "NaN", "Infinity", "1e400"])
def test_an_amount_that_no_column_holds_is_named(database: Database, amount: str) -> None:
    """By an error of its own, before anything is sent: it is neither cut off nor rounded."""
    with pytest.raises(AmountError, match="column"):
        Money().process_bind_param(Decimal(amount), database.engine.dialect)


def test_outcomes_are_brought_into_their_columns(database: Database) -> None:
    """Texts without NUL and half characters, and no longer than the column; counts at their largest; no NaN."""
    foreign = "a\x00b\ud800" + "x" * 200_000
    columns: dict[str, Any] = {
        "code": foreign,
        "message": foreign,
        "detail": foreign,
        "request_id": foreign,
        "call_ms": 10**14,
        "upload_ms": 2**63,
        "text_bytes": 2**40,
    }
    sound: dict[str, Any] = {
        "content_type": foreign,
        "audio_bytes": 2**40,
        "duration_ms": 10**15,
        "peak_dbfs": float("-inf"),
        "loudness_lufs": float("nan"),
        "silence_share": float("inf"),
    }
    with database.begin() as connection:
        row = attempt_row(**columns)
        connection.execute(insert(Attempt), [row])
        job = add_job(connection, status=JobStatus.SUCCEEDED, message=foreign, **sound)
        found = ledger(connection, row["job_id"])[0]
        made = stored(connection, job)
    assert found.code.startswith("a b?xx")
    assert (len(found.code), len(made.content_type)) == (64, 64)
    assert max(len(found.message), len(found.detail), len(found.request_id)) <= 10_000
    assert (found.call_ms, found.upload_ms, found.text_bytes) == (MAX_WHOLE,) * 3
    assert (made.audio_bytes, made.duration_ms) == (MAX_WHOLE,) * 2
    assert (made.peak_dbfs, made.loudness_lufs, made.silence_share) == (None,) * 3
    assert json.dumps([made.peak_dbfs, made.message], allow_nan=False)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    """A recorder with nothing around it."""
    worker = uuid7()
    spool = Spool(tmp_path / "spool", 1)
    spool.prepare()
    stopping = NoWait(Reactor())
    heartbeat = Heartbeat(database, worker, "studio", 1, "ttsq", 4, problem=lambda: None)
    places = Destinations(database, (tmp_path / "audio").as_uri(), connections=1)
    return Desk(database, Recorder(database, heartbeat, places, spool, stopping), spool, worker)


def test_one_settlement_that_can_not_be_stored_fails_alone(desk: Desk) -> None:
    """All of its group are recorded as they are. It ends as failed, at list price, and its take is kept."""
    claims = [desk.claim() for _ in range(5)]
    good = replace(a_settlement(), audio=SOUND, cost=PRICE)
    ended = [(claim, good) for claim in claims]
    ended[2] = (claims[2], replace(good, cost=Decimal(10) ** 9))
    with capture_logs() as logs:
        desk.recorder.record_all(ended)
    with desk.database.read() as connection:
        rows = [stored(connection, claim.job_id) for claim in claims]
        (bad,) = ledger(connection, claims[2].job_id)
    failed = JobStatus.FAILED
    assert [row.status for row in rows] == [failed if n == 2 else JobStatus.SUCCEEDED for n in range(5)]
    assert (bad.cost, bad.cost_estimated, bad.verdict, bad.code) == (PRICE, True, VerdictKind.RETRY, "internal_error")
    assert desk.spool.find(claims[2].job_id) is not None
    assert [line["event"] for line in logs].count("outcome_unstorable") == 1


def test_a_settlement_on_its_own_ends_as_well(desk: Desk) -> None:
    """It isn't retried forever, nor repeated by another call."""
    claim = desk.claim()
    run_here(desk.recorder.record(claim, replace(a_settlement(), audio=SOUND, cost=Decimal("NaN"))))
    with desk.database.read() as connection:
        assert stored(connection, claim.job_id).status == JobStatus.FAILED


def test_a_group_is_split_until_what_can_not_be_stored_stands_alone(database: Database) -> None:
    """Two of many; each of the others is written once."""
    with database.begin() as connection:
        jobs = [add_job(connection) for _ in range(11)]
    bad = {jobs[0], jobs[7]}

    def write(some: Any) -> list[Any]:  # noqa: ANN401 - ids
        with database.begin() as connection:
            for job in some:
                cost = Decimal(10) ** 8 if job in bad else PRICE
                connection.execute(update(Job).where(Job.id == job).values(cost=Job.cost + cost))
        return list(some)

    found = carried_out(write, jobs)
    assert [isinstance(result, BaseException) for result in found] == [job in bad for job in jobs]
    with database.read() as connection:
        costs = {row.id: row.cost for row in connection.execute(select(Job.id, Job.cost))}
    assert costs == {job: Decimal(0) if job in bad else PRICE for job in jobs}


def test_an_outage_is_everybodys_and_splits_nothing() -> None:
    """The group is tried once, and every caller gets the error."""
    calls: list[int] = []

    def fail(some: Any) -> list[Any]:  # noqa: ANN401 - anything
        calls.append(len(some))
        raise OSError

    assert len(carried_out(fail, range(64))) == 64
    assert calls == [64]


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    """A gateway that asks for keys."""
    with running(database) as started:
        yield started


def test_a_job_that_can_not_be_stored_fails_alone(gateway: Running) -> None:
    """Written in a group with others, whose clients are answered as ever."""
    submissions = gateway.gateway.submissions
    client = gateway.client()
    assert client.post("/v1/jobs", {"text": "Before."}).status == 202
    with gateway.gateway.database.read() as connection:
        row = dict(connection.execute(select(*Job.__table__.c)).mappings().one())
    good = [row | {"id": uuid7()} for _ in range(4)]
    rows = [*good[:2], row | {"id": uuid7(), "tenant": None}, *good[2:]]
    found = carried_out(lambda some: submissions._insert([Written(one) for one in some]), rows)  # type: ignore[misc]
    assert [isinstance(result, BaseException) for result in found] == [False, False, True, False, False]
    assert len(client.get("/v1/jobs").json["jobs"]) == 5


class Written:
    """An entry without a client."""

    once = None

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row


@pytest.mark.parametrize("value", ["a\x00b", "\ud800"], ids=["NUL", "half a character"])
@pytest.mark.parametrize("field", ["text", "custom_id", "tags"])
def test_what_no_row_can_hold_is_refused_at_the_door(gateway: Running, field: str, value: str) -> None:
    """As a fault of the field, and never as an outage."""
    body = {"text": "Good night."} | {field: [value] if field == "tags" else value}
    answer = gateway.client().post("/v1/jobs", body)
    assert (answer.status, answer.trouble) in {(422, "invalid-input"), (400, "malformed")}, answer
    assert field in JobIn.model_fields


def test_claims_of_one_group_do_not_depend_on_each_other(database: Database) -> None:
    """A turn with a number that no column holds claims nothing, and the others get their jobs."""
    worker = uuid7()
    with database.begin() as connection:
        jobs = [add_job(connection, status=JobStatus.DISPATCHED) for _ in range(3)]
    turns = [(jobs[0], 0), (jobs[1], 2**70), (jobs[2], 0)]

    def claim(some: Any) -> list[Claim | None]:  # noqa: ANN401 - turns
        with database.at_once() as connection:
            return job_claims.claim_all(connection, some, worker_id=worker, now=NOW)

    found = carried_out(claim, turns)
    claimed = {result.job_id for result in found if isinstance(result, Claim)}
    assert claimed == {jobs[0], jobs[2]}
