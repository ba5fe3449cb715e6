"""Gates in the dispatcher, on real databases: what closes them, what they hold, and how probes open them."""

from __future__ import annotations

import threading

import pytest

from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.dispatcher_harness import SECOND, Stage, await_checks
from tests.factories import MODEL, OTHER_MODEL
from worker.dispatch.gates.probes import ProbeResult
from worker.store import account
from worker.store.account import Gate
from worker.store.database import Database
from worker.store.tables.account import GateRow
from worker.store.transitions import actions


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database."""
    return Stage(database)


@pytest.mark.parametrize("scope", [GateScope.ACCOUNT, GateScope.STORAGE])
def test_a_closed_gate_holds_everything(stage: Stage, scope: GateScope) -> None:
    """Nothing is published while it is closed and its probe isn't due."""
    stage.worker()
    job = stage.job()
    stage.close(scope=scope)
    stage.dispatcher().run_once()
    assert stage.post.collect() == []
    assert stage.status(job) == [JobStatus.QUEUED]
    assert stage.look.asked == []


def test_a_models_gate_holds_its_jobs_alone(stage: Stage) -> None:
    """The other model's jobs start."""
    stage.worker()
    stage.jobs(3, model=OTHER_MODEL)
    free = stage.job(model=MODEL)
    stage.close(model=OTHER_MODEL, code="model_not_found")
    stage.dispatcher().run_once()
    assert stage.post.collect() == [free]


def test_an_attempts_error_closes_its_gate_once(stage: Stage) -> None:
    """A thousand answers with one error close one gate, and leave its time and its next probe alone."""
    stage.worker()
    stage.jobs(3)
    leader = stage.dispatcher()
    for _ in range(20):
        stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="insufficient_credits", message="out of credit")
    leader.run_once()
    assert stage.post.collect() == []
    (gate,) = stage.gates().values()
    assert (gate.name, gate.code, gate.message, gate.probes) == ("account", "insufficient_credits", "out of credit", 0)
    stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="spend_limit", message="limit reached")
    leader.run_once()
    (again,) = stage.gates().values()
    assert (again.since, again.next_probe_at, again.code) == (gate.since, gate.next_probe_at, "spend_limit")


def test_news_are_learnt_from_once(stage: Stage) -> None:
    """A gate that was opened by hand is not closed again by an attempt that was read before."""
    leader = stage.dispatcher()
    stage.ended(VerdictKind.GATE, scope=GateScope.MODEL, model=OTHER_MODEL, code="model_retired", message="gone")
    leader.run_once()
    assert list(stage.gates()) == [f"model:{OTHER_MODEL}"]
    with stage.database.begin() as connection:
        account.open_gate(connection, f"model:{OTHER_MODEL}")
    leader.run_once()
    assert stage.gates() == {}


def test_a_success_that_began_after_the_closing_opens_the_gate(stage: Stage) -> None:
    """One that was under way before doesn't; jobs start again in the same tick."""
    stage.worker()
    job = stage.job()
    gate = stage.close()
    leader = stage.dispatcher()
    stage.ended(VerdictKind.SUCCESS, started_at=gate.since - SECOND)
    leader.run_once()
    assert list(stage.gates()) == ["account"]
    stage.ended(VerdictKind.SUCCESS, started_at=gate.since + SECOND)
    leader.run_once()
    assert stage.gates() == {}
    assert stage.post.collect() == [job]


def test_a_free_check_opens_a_gate(stage: Stage) -> None:
    """When due, key and credit are looked at off the dispatcher's thread; the next tick takes the result."""
    stage.worker()
    job = stage.job()
    stage.close(code="bad_key", next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    await_checks()
    assert stage.look.asked == ["account"]
    assert stage.post.collect() == []
    leader.run_once()
    assert stage.gates() == {}
    assert stage.post.collect() == [job]


def test_a_check_that_fails_is_made_again_later(stage: Stage) -> None:
    """The gate stays closed, and is looked at again at the same short pace: the check is free."""
    stage.look.trouble = "the balance is $0"
    stage.close(code="insufficient_credits", next_probe_at=stage.now())
    leader = stage.dispatcher(probe_seconds=30)
    began = stage.now()
    leader.run_once()
    await_checks()
    leader.run_once()
    await_checks()
    (gate,) = stage.gates().values()
    assert stage.look.asked == ["account"]
    assert gate.probes == 1
    assert 29 * SECOND < gate.next_probe_at - began < 40 * SECOND


def test_a_check_begun_before_a_gate_closed_anew_does_not_open_it(stage: Stage) -> None:
    """Proof must have begun after the closing: what the check saw is no longer so."""
    seen, go = threading.Event(), threading.Event()

    def slowly(_: Gate) -> ProbeResult:
        seen.set()
        go.wait(10)
        return ProbeResult(None)

    stage.close(code="bad_key", next_probe_at=stage.now())
    leader = stage.dispatcher(look=slowly)
    leader.run_once()
    seen.wait(10)
    stage.ended(VerdictKind.SUCCESS)
    leader.run_once()
    assert stage.gates() == {}
    again = {"started_at": stage.now() + SECOND, "message": "refused again"}
    stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="bad_key", **again)
    leader.run_once()
    go.set()
    await_checks()
    leader.run_once()
    assert list(stage.gates()) == ["account"]


def test_a_gate_that_has_no_free_check_is_probed_with_one_job(stage: Stage) -> None:
    """One, when due, however many wait and however many slots are free; the next only after the doubled wait."""
    stage.worker(slots=20)
    jobs = stage.jobs(5)
    stage.close(code="spend_limit", next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == jobs[:1]
    leader.run_once()
    assert stage.post.collect() == []
    assert (stage.gates()["account"].probes, stage.look.asked) == (1, [])


def test_a_models_probe_gets_a_place_before_the_crowd(stage: Stage) -> None:
    """Its due probe is not crowded out by another model's endless jobs."""
    stage.worker(slots=3)
    crowd = stage.jobs(10, model=MODEL)
    held = stage.jobs(2, model=OTHER_MODEL)
    stage.close(model=OTHER_MODEL, code="forbidden", next_probe_at=stage.now())
    stage.dispatcher().run_once()
    assert stage.post.collect() == sorted([*crowd[:2], held[0]])


def test_a_probe_without_a_job_or_a_place_is_not_used_up(stage: Stage) -> None:
    """Without a job to send or a free slot the probe stays due."""
    worker = stage.worker(slots=1)
    stage.close(model=OTHER_MODEL, code="forbidden", next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    running = stage.job(status=JobStatus.RUNNING, worker_id=worker)
    held = stage.job(model=OTHER_MODEL)
    leader.run_once()
    assert stage.gates()[f"model:{OTHER_MODEL}"].probes == 0
    with stage.database.begin() as connection:
        actions.cancel(connection, actions.these([running]), now=stage.now())
    leader.run_once()
    assert stage.post.collect() == [held]


def test_no_job_is_sent_through_another_closed_gate(stage: Stage) -> None:
    """A model's probe waits while the account is closed, too."""
    stage.worker()
    stage.jobs(2, model=OTHER_MODEL)
    stage.close(model=OTHER_MODEL, code="forbidden", next_probe_at=stage.now())
    stage.close(code="insufficient_credits")
    stage.dispatcher().run_once()
    assert stage.post.collect() == []


def test_a_gate_that_was_never_closed_leaves_no_row(stage: Stage) -> None:
    """A quiet account has nothing to tell."""
    stage.worker()
    stage.job()
    stage.ended(VerdictKind.RETRY, code="server_error")
    stage.dispatcher().run_once()
    with stage.database.read() as connection:
        assert connection.execute(GateRow.__table__.select()).all() == []
