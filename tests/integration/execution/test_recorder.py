"""The record of an attempt when the database's answer to it is lost: the row is there, and the worker must know it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.factories import a_settlement, add_job, an_answer, ledger, stored
from worker.concurrency.futures import resolved, run_here
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.execution.destinations import Destinations
from worker.execution.heartbeat import Heartbeat
from worker.execution.recorder import Recorder
from worker.execution.spool import Spool
from worker.store.database import Database
from worker.store.transitions import actions, claims, rescues
from worker.store.transitions.claims import Claim


class NoWait(StopEvent):
    """The stop event of a worker that keeps running, and whose waits take no time."""

    def pause(self, seconds: float) -> Future[bool]:
        """At once."""
        del seconds
        return resolved(self.is_set())


@dataclass(frozen=True, slots=True)
class Desk:
    """A worker's last step, with a database, a spool, and nothing else."""

    database: Database
    recorder: Recorder
    spool: Spool
    worker_id: UUID

    def claim(self) -> Claim:
        """A job in this worker's hands, its answer in the spool."""
        with self.database.begin() as connection:
            job = add_job(connection, status=JobStatus.DISPATCHED)
            now = self.database.now(connection)
            claim = claims.claim(connection, job, 0, worker_id=self.worker_id, now=now)
        assert claim is not None
        answer = self.spool.path_for(job, claim.attempt)
        answer.write_bytes(b"audio")
        self.spool.keep_receipt(answer, an_answer(audio=answer))
        return claim

    def spooled(self) -> set[UUID]:
        """The jobs that have an answer in the spool."""
        return set(self.spool.answers())


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    """A desk on each database."""
    worker_id = uuid7()
    spool = Spool(tmp_path / "spool", min_free_bytes=1)
    spool.prepare()
    heartbeat = Heartbeat(database, worker_id, "studio", 1, "ttsq", 4, problem=spool.problem)
    destinations = Destinations(database, (tmp_path / "audio").as_uri(), connections=1)
    return Desk(database, Recorder(database, heartbeat, destinations, spool, NoWait(Reactor())), spool, worker_id)


@contextmanager
def one_answer_lost(database: Database) -> Iterator[None]:
    """The first commit succeeds, and its connection dies before the reply."""
    left = [OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))]

    def commit(connection: Any) -> None:  # noqa: ANN401 - the driver's own has no type
        if left:
            connection.connection.commit()
            raise left.pop()

    def commit_itself(connection: Any, cursor: Any, statement: str, *_: object) -> None:  # noqa: ANN401 - likewise
        alone = connection.connection.dbapi_connection.autocommit
        if left and alone and "INSERT INTO attempts" in statement and cursor.rowcount:
            raise left.pop()

    event.listen(database.engine, "commit", commit)
    if not database.is_sqlite:
        event.listen(database.engine, "after_cursor_execute", commit_itself)
    yield
    assert not left
    event.remove(database.engine, "commit", commit)
    if not database.is_sqlite:
        event.remove(database.engine, "after_cursor_execute", commit_itself)


def test_a_record_whose_answer_was_lost_counts_as_made(desk: Desk) -> None:
    """The second try finds its own work: nothing is late, the cost stands once, the answer leaves the spool."""
    claim = desk.claim()
    settlement = a_settlement()
    with one_answer_lost(desk.database), capture_logs() as logs:
        run_here(desk.recorder.record(claim, settlement))
    with desk.database.read() as connection:
        row, books = stored(connection, claim.job_id), ledger(connection, claim.job_id)
    assert {line["event"] for line in logs} & {"attempt", "attempt_late"} == {"attempt"}
    assert (row.status, row.cost) == (JobStatus.SUCCEEDED, settlement.cost)
    assert [(entry.number, entry.verdict) for entry in books] == [(1, settlement.verdict)]
    assert desk.spooled() == set()


def test_the_log_line_of_an_attempt_says_how_long_it_took(desk: Desk) -> None:
    """From the claim to the record, also where no call was made."""
    claim = desk.claim()
    with capture_logs() as logs:
        run_here(desk.recorder.record(claim, a_settlement(call_ms=None)))
    (line,) = (line for line in logs if line["event"] == "attempt")
    assert (line["worker"], line["call_ms"]) == (str(desk.worker_id), None)
    assert 0 <= line["seconds"] < 60


def test_a_group_whose_answer_was_lost_counts_as_made(desk: Desk) -> None:
    """Every attempt of it."""
    ended = [(desk.claim(), a_settlement()) for _ in range(3)]
    with one_answer_lost(desk.database):
        with pytest.raises(OperationalError):
            desk.recorder._write(ended)
        assert desk.recorder._write(ended) == [True] * 3
    with desk.database.read() as connection:
        assert [len(ledger(connection, claim.job_id)) for claim, _ in ended] == [1] * 3


@pytest.mark.parametrize("taken", ["rescued", "cancelled"])
def test_a_late_record_whose_answer_was_lost_stays_late(desk: Desk, taken: str) -> None:
    """However often it is repeated, the job isn't this claim's any more; the answer is kept for the current one."""
    claim = desk.claim()
    with desk.database.begin() as connection:
        now = desk.database.now(connection)
        if taken == "rescued":
            rescues.rescue(connection, [desk.worker_id], max_attempts=5, now=now)
        else:
            actions.cancel(connection, actions.these([claim.job_id]), now=now)
    with one_answer_lost(desk.database), capture_logs() as logs:
        run_here(desk.recorder.record(claim, a_settlement(audio=None, status=JobStatus.QUEUED)))
    with desk.database.read() as connection:
        row, (entry,) = stored(connection, claim.job_id), ledger(connection, claim.job_id)
    assert {line["event"] for line in logs} & {"attempt", "attempt_late"} == {"attempt_late"}
    assert (entry.verdict, row.cost) == ("late", entry.cost)
    assert desk.spooled() == {claim.job_id}
