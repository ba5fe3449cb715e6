"""Operations on all jobs that match: counted and priced before, carried out page by page, aborted, resumed, logged."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api_models.registry import MODELS
from api_models.status import JobStatus
from tests.console_site import TENANT, Browser
from tests.factories import MODEL, add_job, add_jobs, job_row, stored
from tests.gateway import Running
from worker.maintenance.operations import OperationRunner
from worker.store import operations
from worker.store.database import Database
from worker.store.operations import PAGE_JOBS, Action, OperationRecord, State
from worker.store.tables.console import ConsoleAction
from worker.store.tables.jobs import Job


def begin(database: Database, action: Action, text: str = "", **given: Any) -> OperationRecord:  # noqa: ANN401 - a column
    """An operation of the tenant, counted to its end."""
    with database.begin() as connection:
        record = operations.create(
            connection,
            tenant=TENANT,
            actor="ada",
            action=action,
            filter_text=text,
            priority=given.get("priority"),
            now=database.now(connection),
        )
    run_to_end(database)
    return read(database, record)


def read(database: Database, record: OperationRecord) -> OperationRecord:
    """The operation as it stands now."""
    with database.read() as connection:
        found = operations.by_id(connection, TENANT, record.id)
    assert found is not None
    return found


def run_to_end(database: Database) -> None:
    """What the leading worker does."""
    runner = OperationRunner(database, lambda: None)
    while runner.run_once():
        pass


def confirm(database: Database, record: OperationRecord) -> None:
    """As a click on its button."""
    with database.begin() as connection:
        assert operations.confirm(connection, record, now=database.now(connection))


def fail(database: Database, count: int, tenant: str = TENANT) -> None:
    """Add failed jobs."""
    with database.begin() as connection:
        add_jobs(connection, *(job_row(tenant=tenant, status=JobStatus.FAILED) for _ in range(count)))


def states(database: Database, tenant: str = TENANT) -> dict[str, int]:
    """Jobs by state."""
    with database.read() as connection:
        rows = connection.execute(
            select(Job.status, func.count()).where(Job.tenant == tenant).group_by(Job.status)
        ).all()
    return {row[0]: row[1] for row in rows}


def test_the_price_stands_before_the_confirmation(site: Running, operator: Browser) -> None:
    """Count and price on one page, nothing changed before the confirmation, everything logged."""
    database = site.gateway.database
    fail(database, 3)
    fail(database, 2, "globex")
    page = operator.get("/console/jobs?filter=state:failed")
    ready = operator.submit(page, "/console/operations", action="retry")
    assert "3 jobs" in ready.text
    assert f"${MODELS[MODEL].price * 3:.4f}" in ready.text
    assert states(database) == {"failed": 3}
    running = operator.submit(ready, "/confirm")
    assert "running" in running.text
    run_to_end(database)
    finished = operator.get(ready.form("/confirm").action.removesuffix("/confirm"))
    assert "3 jobs changed" in re.sub(r"\s+", " ", finished.text)
    assert (states(database), states(database, "globex")) == ({"queued": 3}, {"failed": 2})
    with database.read() as connection:
        log = connection.execute(select(ConsoleAction.action).order_by(ConsoleAction.id)).scalars().all()
    assert log[1:] == ["prepare retry", "confirm retry"]


def test_an_operation_is_aborted_half_way_and_resumed(database: Database) -> None:
    """It stops after a page, and continues where it stopped: no job twice, none left out."""
    fail(database, 2 * PAGE_JOBS + 7)
    record = begin(database, Action.RETRY)
    assert (record.state, record.matched) == (State.READY, 2 * PAGE_JOBS + 7)
    confirm(database, record)
    runner = OperationRunner(database, lambda: None)
    assert runner.run_once()
    with database.begin() as connection:
        assert operations.abort(connection, record, now=database.now(connection))
    run_to_end(database)
    assert states(database) == {"failed": PAGE_JOBS + 7, "queued": PAGE_JOBS}
    with database.begin() as connection:
        assert operations.resume(connection, record)
    run_to_end(database)
    after = read(database, record)
    assert (after.state, after.changed, after.examined) == (State.FINISHED, after.matched, after.matched)
    assert states(database) == {"queued": 2 * PAGE_JOBS + 7}


def test_no_more_is_changed_than_was_counted(database: Database) -> None:
    """Jobs that begin to match after the count are left alone: the price that was shown holds."""
    fail(database, 3)
    with database.begin() as connection:
        later = add_jobs(connection, *(job_row(tenant=TENANT) for _ in range(4)))
    record = begin(database, Action.RETRY, "state:failed")
    with database.begin() as connection:
        failed = {"status": JobStatus.FAILED, "finished_at": database.now(connection), "code": "bad_audio"}
        connection.execute(update(Job).where(Job.id.in_(later)).values(failed))
    confirm(database, record)
    run_to_end(database)
    after = read(database, record)
    assert (after.changed, states(database)) == (3, {"failed": 4, "queued": 3})


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        (Action.RETRY, JobStatus.FAILED, JobStatus.QUEUED),
        (Action.RETRY, JobStatus.SUCCEEDED, JobStatus.SUCCEEDED),
        (Action.CANCEL, JobStatus.QUEUED, JobStatus.CANCELLED),
        (Action.CANCEL, JobStatus.FAILED, JobStatus.FAILED),
        (Action.PRIORITY, JobStatus.QUEUED, JobStatus.QUEUED),
        (Action.DELETE, JobStatus.FAILED, JobStatus.FAILED),
    ],
)
def test_an_action_touches_the_states_it_is_for(
    database: Database, action: Action, before: JobStatus, after: JobStatus
) -> None:
    """Others are not even counted."""
    with database.begin() as connection:
        job_id = add_job(connection, tenant=TENANT, status=before)
    record = begin(database, action, priority=7)
    assert record.matched == (before in operations.APPLIES_TO[action])
    confirm(database, record)
    run_to_end(database)
    with database.read() as connection:
        job = stored(connection, job_id)
    assert job.status == after
    assert (job.priority, job.purge_at is not None) == (
        (7, False) if action is Action.PRIORITY else (0, action is Action.DELETE)
    )


def test_an_operation_moves_only_as_its_state_allows(database: Database) -> None:
    """Nothing is confirmed twice, and what was discarded stays so."""
    fail(database, 1)
    record = begin(database, Action.RETRY)
    with database.begin() as connection:
        now = database.now(connection)
        assert not operations.abort(connection, record, now=now)
        assert not operations.resume(connection, record)
        assert operations.discard(connection, record, now=now)
        assert not operations.confirm(connection, record, now=now)
    run_to_end(database)
    assert states(database) == {"failed": 1}


def test_a_form_with_a_fault_is_refused(operator: Browser) -> None:
    """Before anything is stored."""
    token = next(
        value
        for tag, given in operator.get("/console/try").tags
        if (value := given.get("value")) and given.get("name") == "csrf"
    )
    faulty = [
        {"action": "explode", "filter": ""},
        {"action": "priority", "priority": "high", "filter": ""},
        {"action": "retry", "filter": "sate:failed"},
        {"action": "retry", "filter": "tenant:globex"},
    ]
    for fields in faulty:
        answer = operator.send("POST", "/console/operations", [("csrf", token), *fields.items()])
        assert answer.status == 422
    assert "No operation yet" in operator.get("/console/operations").text
