"""Every change of a job's state: the statements make the transitions of the table, no others, and each only once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from api_models.status import TERMINAL, TRANSITIONS, WAITING, JobStatus
from tests.factories import (
    NOW,
    SHA256,
    a_claim,
    a_settlement,
    add_job,
    stored,
)
from tests.integration.store.claimed_jobs import (
    AGAIN,
    CANCELLED,
    EXPIRED,
    FAILED,
    HOLDER,
    LATER,
    SUCCEEDED,
    D,
    Q,
    R,
    S,
    but_cost,
)
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Job
from worker.store.transitions import (
    actions,
    dispatches,
    followers,
    rescues,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim

LEADER: Final = uuid7()
"""Whom every job follows, where it follows."""


NUMBER: Final = 3
"""The number of claims that every job has seen."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One way to change a job's state, and what it is to do to each state it takes."""

    name: str
    run: Callable[[Connection, UUID], int]
    """How many jobs it changed."""
    makes: dict[JobStatus, JobStatus]


def _claim_of(job_id: UUID) -> Claim:
    return a_claim(job_id=job_id, attempt=NUMBER, worker_id=HOLDER)


def _settled(status: JobStatus) -> Statement:
    def run(connection: Connection, job_id: UUID) -> int:
        return job_settlement.settle_at_once(connection, _claim_of(job_id), a_settlement(status), now=LATER)

    return Statement(f"settle as {status}", run, {R: status})


def _rescued(name: str, max_attempts: int, status: JobStatus) -> Statement:
    def run(connection: Connection, _: UUID) -> int:
        before = sum(job_queries.in_flight_by_worker(connection).values())
        rescues.rescue(connection, [HOLDER], max_attempts=max_attempts, now=LATER)
        return before - sum(job_queries.in_flight_by_worker(connection).values())

    return Statement(name, run, {D: Q, R: status})


def _follow(connection: Connection, job_id: UUID) -> int:
    before = stored(connection, job_id).status
    followers.follow(connection, {job_id: LEADER}, now=LATER)
    return int(stored(connection, job_id).status != before)


STATEMENTS: Final = (
    Statement("promote", lambda connection, _: dispatches.promote(connection, now=LATER), {S: Q}),
    Statement(
        "expire", lambda connection, _: dispatches.expire(connection, now=LATER), {S: EXPIRED, Q: EXPIRED, D: EXPIRED}
    ),
    Statement(
        "dispatch",
        lambda connection, job: len(dispatches.dispatch(connection, [job], worker_id=None, now=LATER)),
        {Q: D},
    ),
    Statement("take_back", lambda connection, job: dispatches.take_back(connection, [job]), {D: Q}),
    Statement("take_back_all", lambda connection, _: dispatches.take_back_all(connection, worker_id=HOLDER), {D: Q}),
    Statement(
        "give_up_messages", lambda connection, _: dispatches.give_up_messages(connection, sent_before=LATER), {D: Q}
    ),
    Statement(
        "claim",
        lambda connection, job: job_claims.claim(connection, job, NUMBER, worker_id=HOLDER, now=LATER) is not None,
        {D: R},
    ),
    Statement("follow", _follow, {Q: S}),
    Statement("release", lambda connection, _: followers.release(connection, [LEADER]), {S: Q}),
    *map(_settled, (SUCCEEDED, FAILED, Q, S)),
    _rescued("rescue with attempts left", NUMBER + 1, Q),
    _rescued("rescue with none left", NUMBER, FAILED),
    Statement(
        "cancel",
        lambda connection, job: actions.cancel(connection, actions.these([job]), now=LATER),
        dict.fromkeys(sorted(set(JobStatus) - TERMINAL), CANCELLED),
    ),
    Statement(
        "retry",
        lambda connection, job: actions.retry(connection, actions.these([job]), states=list(JobStatus)),
        dict.fromkeys(AGAIN, Q),
    ),
)


each_statement = pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)


def one_in(connection: Connection, status: JobStatus, **columns: Any) -> UUID:  # noqa: ANN401 - any column
    """A job that fits every statement in all but its state."""
    fitting = {
        "status": status,
        "not_before": NOW,
        "deadline": NOW,
        "dispatched_at": NOW,
        "started_at": NOW,
        "worker_id": HOLDER,
        "attempt": NUMBER,
        "attempts_used": NUMBER,
        "follows": LEADER,
    }
    return add_job(connection, **(fitting | columns))


def test_the_statements_make_every_transition_and_no_other() -> None:
    """What the statements do, as the next test shows it, is the table of transitions."""
    made = {(before, after) for statement in STATEMENTS for before, after in statement.makes.items()}
    assert made == {(before, after) for before, ways in TRANSITIONS.items() for after in ways}


@each_statement
def test_a_statement_takes_its_states_and_leaves_all_others_alone(database: Database, statement: Statement) -> None:
    """For every state: it wins and changes it as it should, or it says that it lost and the row stays as it was."""
    for status in JobStatus:
        with database.begin() as connection:
            job = one_in(connection, status)
            before = stored(connection, job)
            won = statement.run(connection, job)
            after = stored(connection, job)
            if status in statement.makes:
                assert (won, after.status) == (1, statement.makes[status]), status
            else:
                assert won == 0, status
                assert but_cost(after) == but_cost(before), status
            connection.execute(delete(Job))


@each_statement
def test_a_statement_wins_once(database: Database, statement: Statement) -> None:
    """Given again, as by a duplicate message or a second dispatcher, it finds nothing left to do."""
    for status in statement.makes:
        with database.begin() as connection:
            job = one_in(connection, status)
            statement.run(connection, job)
            settled = stored(connection, job)
            assert statement.run(connection, job) == 0, status
            assert stored(connection, job) == settled, status
            connection.execute(delete(Job))


BAD_CHANGES: Final[dict[str, tuple[JobStatus, dict[str, object]]]] = {
    "an unknown state": (Q, {"status": "paused"}),
    "running without a worker": (D, {"status": R, "worker_id": None}),
    "scheduled without a time": (Q, {"status": S, "not_before": None}),
    "a success without an address": (R, {"status": SUCCEEDED, "finished_at": NOW, "sha256": SHA256, "uri": None}),
    "a success without a checksum": (R, {"status": SUCCEEDED, "finished_at": NOW, "uri": "file:///a", "sha256": None}),
    "a failure without a code": (R, {"status": FAILED, "finished_at": NOW, "code": None}),
    **{f"{status} without an end": (R, {"status": status, "code": "c"}) for status in sorted(TERMINAL)},
    **{f"{status} with an end": (FAILED, {"status": status, "not_before": NOW}) for status in sorted(WAITING)},
}


@pytest.mark.parametrize("change", BAD_CHANGES.values(), ids=BAD_CHANGES.keys())
def test_the_database_refuses_rows_that_no_statement_makes(
    database: Database, change: tuple[JobStatus, dict[str, object]]
) -> None:
    """The constraints also hold for writers that bypass the statements."""
    status, values = change
    sound = {"uri": "file:///a", "sha256": SHA256, "worker_id": HOLDER}
    with database.begin() as connection:
        job = add_job(connection, status=status, **sound)
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(update(Job).where(Job.id == job).values(values))


def test_a_custom_id_is_unique_in_its_batch(database: Database) -> None:
    """Two lines of one batch never write to one object; jobs without a batch or a name may be many."""
    with database.begin() as connection:
        for _ in range(2):
            add_job(connection, custom_id="intro")
            add_job(connection, custom_id=None)


@pytest.mark.parametrize("rivals", [20])
def test_of_many_claims_one_wins(database: Database, rivals: int) -> None:
    """A message delivered twenty times at once starts one attempt."""
    with database.begin() as connection:
        job = add_job(connection, status=D)
    line = threading.Barrier(rivals)

    def claim(_: int) -> Claim | None:
        line.wait()
        with database.begin() as connection:
            return job_claims.claim(connection, job, 0, worker_id=uuid7(), now=NOW)

    with ThreadPoolExecutor(rivals) as executor:
        won = [claimed for claimed in executor.map(claim, range(rivals)) if claimed]
    assert len(won) == 1
    with database.read() as connection:
        row = stored(connection, job)
    assert (row.worker_id, row.attempt, row.attempts_used) == (won[0].worker_id, 1, 1)


@pytest.mark.parametrize("rivals", [8])
def test_of_many_dispatchers_one_gets_each_job(database: Database, rivals: int) -> None:
    """Two leaders at once, as after a lapsed lease, publish no job twice."""
    with database.begin() as connection:
        jobs = [add_job(connection) for _ in range(30)]
    line = threading.Barrier(rivals)

    def dispatch(_: int) -> Sequence[dispatches.Waiting]:
        line.wait()
        with database.begin() as connection:
            return dispatches.dispatch(connection, jobs, worker_id=None, now=NOW)

    with ThreadPoolExecutor(rivals) as executor:
        chosen = [job.job_id for found in executor.map(dispatch, range(rivals)) for job in found]
    assert sorted(chosen) == sorted(jobs)
