"""A tick that fails at any of its statements, or at its commit, leaves the leader's memory where the rows are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.dispatcher_harness import SECOND, Stage, await_checks
from worker.dispatch.dispatcher import Dispatcher
from worker.store import account
from worker.store.database import Database

COMMIT = 10_000
"""Stands for the commit among a tick's statements."""
WAYS = (*range(1, 41), COMMIT)
"""Numbers of the statement that fails; no tick here sends as many as forty."""


class LostError(Exception):
    """What the driver raises."""


@dataclass(slots=True)
class Failure:
    """Fails one statement of all that a database is sent."""

    at: int
    sent: int = 0

    def _lose(self) -> None:
        raise OperationalError("a statement", {}, LostError("connection lost"))

    def statement(self, *_: Any) -> None:  # noqa: ANN401 - the signature is SQLAlchemy's
        self.sent += 1
        if self.sent == self.at:
            self._lose()

    def commit(self, _connection: object) -> None:
        if self.at == COMMIT:
            self._lose()


@contextmanager
def failing(database: Database, at: int) -> Iterator[Failure]:
    """Fail the statement with this number."""
    failure = Failure(at)
    event.listen(database.engine, "before_cursor_execute", failure.statement)
    event.listen(database.engine, "commit", failure.commit)
    try:
        yield failure
    finally:
        event.remove(database.engine, "before_cursor_execute", failure.statement)
        event.remove(database.engine, "commit", failure.commit)


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with room for all."""
    stage = Stage(database)
    stage.worker(slots=10_000)
    return stage


def fail(stage: Stage, leader: Dispatcher, at: int) -> None:
    """One tick that fails there, if it comes so far; then one that succeeds."""
    with failing(stage.database, at), suppress(OperationalError):
        leader.run_once()
    leader.run_once()


def shut(stage: Stage, code: str) -> None:
    """Close the account's gate, its next probe being due."""
    now = stage.now()
    with stage.database.begin() as connection:
        account.close_gate(
            connection,
            GateScope.ACCOUNT,
            None,
            code=code,
            message="closed",
            next_probe_at=now - SECOND,
            now=now - 60 * SECOND,
        )


def test_a_passed_check_is_never_lost(stage: Stage) -> None:
    """Its result opens the gate in the next tick that commits, not at the next check in half an hour."""
    leader = stage.dispatcher(probe_seconds=1_800)
    for at in WAYS:
        shut(stage, "bad_key")
        leader.run_once()
        await_checks()
        fail(stage, leader, at)
        assert stage.gates() == {}, f"failed at {at}"


def test_a_success_opens_its_gate_and_a_late_refusal_does_not_close_it(stage: Stage) -> None:
    """What an earlier tick learned of a gate's opening survives a tick that fails."""
    leader = stage.dispatcher()
    for at in WAYS:
        shut(stage, "spend_limit")
        leader.run_once()
        stage.ended(VerdictKind.SUCCESS, started_at=stage.now())
        fail(stage, leader, at)
        assert stage.gates() == {}, f"failed at {at}"
        refused = {"scope": GateScope.ACCOUNT, "code": "spend_limit", "message": "limit reached"}
        stage.ended(VerdictKind.GATE, started_at=stage.now() - 5 * SECOND, **refused)
        fail(stage, leader, at)
        assert stage.gates() == {}, f"failed at {at}"


def test_a_refusal_is_never_ignored(stage: Stage) -> None:
    """A gate's refusal closes it, and a 429 pauses, whichever statement of the tick that read it failed."""
    leader = stage.dispatcher()
    for at in WAYS:
        stage.ended(VerdictKind.GATE, scope=GateScope.MODEL, code="model_not_found", message="no such model")
        reset_at = stage.now() + 3_600 * SECOND
        stage.ended(VerdictKind.PACE, reset_at=reset_at, message="slow down")
        fail(stage, leader, at)
        assert len(stage.gates()) == 1, f"failed at {at}"
        assert stage.pace().paused_until == reset_at, f"failed at {at}"
        leader = _reopened(stage)


def _reopened(stage: Stage) -> Dispatcher:
    with stage.database.begin() as connection:
        for name in stage.gates():
            account.open_gate(connection, name)
        account.save_pace(connection, account.PaceState())
    stage.lapse()
    return stage.dispatcher()


@pytest.mark.parametrize("rpm", ["unlimited", 60_000.0], ids=["unlimited", "rate"])
def test_every_job_starts_once_and_no_message_is_ahead_of_its_row(stage: Stage, rpm: object) -> None:
    """The jobs of a failed tick start in the next one; each is dispatched when its message is out."""
    leader = stage.dispatcher(rpm=rpm)
    leader.run_once()
    for at in WAYS:
        stage.beat()
        jobs = stage.jobs(2)
        fail(stage, leader, at)
        leader.run_once()
        assert stage.post.collect() == sorted(jobs), f"failed at {at}"
        assert stage.status(*jobs) == [JobStatus.DISPATCHED] * 2


def test_messages_that_could_not_be_sent_are_taken_back_all_the_same(stage: Stage) -> None:
    """Also if the statement that takes them back fails."""
    leader = stage.dispatcher()
    leader.run_once()
    for at in WAYS:
        stage.post.most = 0
        stage.beat()
        jobs = stage.jobs(2)
        with failing(stage.database, at), suppress(OperationalError):
            leader.run_once()
        stage.post.most = 10_000
        leader.run_once()
        assert stage.post.collect() == sorted(jobs), f"failed at {at}"


def test_an_outage_that_is_met_at_the_commit_is_still_an_outage(stage: Stage) -> None:
    """While nothing is committed no heartbeat is either: no worker is given up before they can send one."""
    leader = stage.dispatcher()
    leader.run_once()
    before = leader.rescue.read_at
    with failing(stage.database, COMMIT), pytest.raises(OperationalError):
        leader.run_once()
    assert leader.rescue.read_at == before
