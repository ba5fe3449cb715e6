"""A broken upstream or a refusal closes a gate once, and only newer evidence opens it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import MODEL, OTHER_MODEL
from worker.dispatch.gates import circuit_breaker
from worker.store import account
from worker.store.database import Database
from worker.store.tables.account import GateRow
from worker.store.tables.jobs import Job


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with a worker of a hundred slots whose heart beats for as long as any test takes."""
    stage = Stage(database)
    stage.worker(slots=100, heartbeat_at=stage.now() + 3_600 * SECOND)
    return stage


def end(stage: Stage, jobs: list[UUID], batch: UUID | None, **columns: Any) -> None:  # noqa: ANN401 - any column
    """Jobs in flight succeed, each at the model's price unless said otherwise."""
    now = stage.now()
    over = {"status": JobStatus.SUCCEEDED, "uri": "file:///a.wav", "sha256": "0", "finished_at": now}
    with stage.database.begin() as connection:
        connection.execute(update(Job).where(Job.id.in_(jobs)).values(over))
    for job in jobs:
        stage.ended(VerdictKind.SUCCESS, job_id=job, batch_id=batch, **columns)


def fail_upstream(stage: Stage, count: int, **columns: Any) -> None:  # noqa: ANN401 - any column
    """Calls that end in a server error."""
    for _ in range(count):
        stage.ended(VerdictKind.RETRY, code="server_error", message="Internal error", **columns)


def probe_is_due(stage: Stage) -> None:
    """Let the time until the next probe pass."""
    with stage.database.begin() as connection:
        connection.execute(update(GateRow).values(next_probe_at=stage.database.now(connection) - SECOND))


def test_a_broken_upstream_is_tried_with_one_job_at_a_time(stage: Stage) -> None:
    """Others than its own model go on; its probe comes soon, and the next one not before it has ended."""
    jobs = stage.jobs(10)
    leader = stage.dispatcher()
    fail_upstream(stage, 25)
    began = stage.now()
    leader.run_once()
    assert stage.post.collect() == []
    gate = stage.gates()[f"model:{MODEL}"]
    assert gate.code == circuit_breaker.CODE
    assert gate.next_probe_at <= began + 15 * SECOND
    other = stage.job(model=OTHER_MODEL)
    leader.run_once()
    assert stage.post.collect() == [other]
    probe_is_due(stage)
    leader.run_once()
    (probe,) = stage.post.collect()
    probe_is_due(stage)
    leader.run_once()
    assert stage.post.collect() == []
    end(stage, [probe], None, started_at=stage.now() + SECOND)
    leader.run_once()
    assert stage.gates() == {}
    assert stage.post.collect() == [job for job in jobs if job != probe]
    assert [event.type for event in stage.events()] == ["account.held", "account.released"]


def test_probes_of_a_broken_upstream_take_turns_among_the_jobs(stage: Stage) -> None:
    """The least tried one goes, so that no single job uses up its attempts."""
    tried, fresh = stage.job(attempt=3), stage.job(attempt=1)
    stage.close(model=MODEL, code=circuit_breaker.CODE, next_probe_at=stage.now())
    stage.dispatcher().run_once()
    assert stage.post.collect() == [fresh]
    assert stage.status(tried) == [JobStatus.QUEUED]


def test_failures_now_and_then_break_nothing(stage: Stage) -> None:
    """One call in two fails, for a long time."""
    leader = stage.dispatcher()
    for _ in range(10):
        fail_upstream(stage, 6)
        for _ in range(6):
            stage.ended(VerdictKind.SUCCESS)
        leader.run_once()
    assert stage.gates() == {}


def test_a_gate_that_a_verdict_closed_stays_what_it_is(stage: Stage) -> None:
    """Upstream failures neither rename nor reopen it."""
    stage.close(model=MODEL, code="forbidden")
    fail_upstream(stage, 30)
    stage.dispatcher().run_once()
    assert stage.gates()[f"model:{MODEL}"].code == "forbidden"


def test_calls_from_before_do_not_break_it_again(stage: Stage) -> None:
    """Timeouts of calls that were under way when the upstream came back say nothing of how it is now."""
    leader = stage.dispatcher()
    gate = stage.close(model=MODEL, code=circuit_breaker.CODE)
    leader.run_once()
    stage.ended(VerdictKind.SUCCESS, started_at=gate.since + SECOND)
    leader.run_once()
    assert stage.gates() == {}
    fail_upstream(stage, 30, started_at=gate.since - SECOND)
    leader.run_once()
    assert stage.gates() == {}


def test_refusals_from_before_do_not_close_a_gate_again(stage: Stage) -> None:
    """A 406 to a call that began before the account was topped up says nothing of how it is since."""
    stage.jobs(3)
    leader = stage.dispatcher()
    gate = stage.close()
    leader.run_once()
    with stage.database.begin() as connection:
        account.open_gate(connection, "account")
    leader.run_once()
    assert len(stage.post.collect()) == 3
    refusal = {"scope": GateScope.ACCOUNT, "code": "insufficient_credits", "message": "out of credit"}
    stage.ended(VerdictKind.GATE, started_at=gate.since, **refusal)
    leader.run_once()
    assert stage.gates() == {}
    stage.ended(VerdictKind.GATE, started_at=stage.now() + SECOND, **refusal)
    leader.run_once()
    assert list(stage.gates()) == ["account"]


def test_a_call_that_was_let_through_before_the_refusal_opens_nothing(stage: Stage) -> None:
    """Though it began after the tick that closed the gate: the refusal was recorded later still."""
    leader = stage.dispatcher()
    refused_at = stage.now() + 10 * SECOND
    refusal = {"scope": GateScope.ACCOUNT, "code": "insufficient_credits", "message": "out of credit"}
    stage.ended(VerdictKind.GATE, finished_at=refused_at, **refusal)
    leader.run_once()
    stage.ended(VerdictKind.SUCCESS, started_at=refused_at - SECOND, finished_at=refused_at + SECOND)
    leader.run_once()
    assert list(stage.gates()) == ["account"]
    stage.ended(VerdictKind.SUCCESS, started_at=refused_at + SECOND, finished_at=refused_at + 2 * SECOND)
    leader.run_once()
    assert stage.gates() == {}


def test_a_refusal_is_heeded_before_anybody_starts(stage: Stage) -> None:
    """In the very tick that reads it."""
    jobs = stage.jobs(3)
    stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="insufficient_credits", message="out of credit")
    stage.dispatcher().run_once()
    assert stage.post.collect() == []
    assert stage.status(*jobs) == [JobStatus.QUEUED] * 3


def test_a_closing_gate_calls_back_unclaimed_jobs(stage: Stage) -> None:
    """Messages still under way are not answered with refusals one by one; calls that began are left alone."""
    worker = stage.worker()
    sent = stage.jobs(2, status=JobStatus.DISPATCHED, dispatched_at=stage.now())
    other = stage.job(status=JobStatus.DISPATCHED, dispatched_at=stage.now(), model=OTHER_MODEL)
    running = stage.job(status=JobStatus.RUNNING, worker_id=worker)
    stage.ended(VerdictKind.GATE, scope=GateScope.MODEL, code="model_retired", message="gone")
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.status(*sent, other, running) == [
        JobStatus.QUEUED,
        JobStatus.QUEUED,
        JobStatus.DISPATCHED,
        JobStatus.RUNNING,
    ]
    stage.close(scope=GateScope.STORAGE, code="no_space")
    leader.run_once()
    assert stage.status(other) == [JobStatus.QUEUED]


def test_thousands_of_refusals_are_one_event(stage: Stage) -> None:
    """With the words of the first; its opening is the second."""
    leader = stage.dispatcher()
    for number in range(40):
        stage.ended(
            VerdictKind.GATE, scope=GateScope.ACCOUNT, code="insufficient_credits", message=f"out of credit {number}"
        )
        if number % 10 == 0:
            leader.run_once()
    leader.run_once()
    (held,) = stage.events()
    assert (held.type, held.subject, held.data["code"]) == ("account.held", "account", "insufficient_credits")
    stage.ended(VerdictKind.SUCCESS, started_at=stage.now() + SECOND)
    leader.run_once()
    assert [event.type for event in stage.events()] == ["account.held", "account.released"]


def test_two_gates_of_the_only_model_do_not_keep_each_other_closed(stage: Stage) -> None:
    """With both probes due one job tries both."""
    (job, *_) = stage.jobs(3)
    stage.close(code="spend_limit", next_probe_at=stage.now())
    stage.close(model=MODEL, code="forbidden", next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == [job]
    assert {gate.probes for gate in stage.gates().values()} == {1}
