"""What people name at a terminal, found on both databases; and how a batch stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api_models.status import JobStatus
from api_models.verdict import GateScope
from tests.factories import MODEL, NOW, OTHER_MODEL, a_gate, add_batch, add_gate, add_job, add_worker
from worker.cli import database as cli_database
from worker.cli.console.errors import AmbiguousError, UnknownBatchError, UnknownJobError
from worker.cli.snapshot import take_snapshot
from worker.store.database import Database
from worker.store.queries import filters, jobs

FIRST = UUID("01a1fd72-f8f8-726d-92bf-40351fa64fe1")
SECOND = UUID("01a1fd72-f8f8-726d-92bf-40351fa64fe2")


def test_a_batch_is_found_by_id_beginning_or_name(database: Database) -> None:
    """With or without hyphens and file ending; of two with one name, the newer."""
    with database.begin() as connection:
        old = add_batch(connection, name="texts.csv", created_at=NOW)
        new = add_batch(connection, name="texts.csv", created_at=NOW + timedelta(hours=1), id=FIRST)
        for wanted in (str(FIRST), FIRST.hex, str(FIRST)[:10], FIRST.hex[:12].upper(), "texts.csv", "texts"):
            assert cli_database.batch(connection, wanted).id == new
        assert cli_database.batch(connection, str(old)).id == old


def test_a_beginning_that_fits_two_batches_is_refused(database: Database) -> None:
    """Rather than cancelling the wrong one."""
    with database.begin() as connection:
        add_batch(connection, id=FIRST)
        add_batch(connection, id=SECOND)
        with pytest.raises(AmbiguousError, match="more than one batch"):
            cli_database.batch(connection, str(FIRST)[:8])


@pytest.mark.parametrize("wanted", ["welcom.csv", "", "-", "01a2", "%"])
def test_an_unknown_batch_is_said_to_be_unknown(database: Database, wanted: str) -> None:
    """With the name that was probably meant, where one is close."""
    with database.begin() as connection:
        add_batch(connection, id=FIRST, name="welcome.csv")
        with pytest.raises(UnknownBatchError) as caught:
            cli_database.batch(connection, wanted)
    assert ("did you mean" in caught.value.message) == (wanted == "welcom.csv")


def test_a_job_is_found_by_the_beginning_of_its_id(database: Database) -> None:
    """Or by its custom_id; a beginning of two is refused."""
    with database.begin() as connection:
        add_job(connection, id=FIRST, custom_id="hello")
        add_job(connection, id=SECOND)
        assert cli_database.job(connection, str(FIRST)).custom_id == "hello"
        with pytest.raises(AmbiguousError):
            cli_database.job(connection, FIRST.hex[:-1])
        for wanted in ("hell", "", "_%"):
            with pytest.raises(UnknownJobError):
                cli_database.job(connection, wanted)


def test_filters_are_taken_together(database: Database) -> None:
    """Batch, state, code and ids: a job has to fit all that are given."""
    with database.begin() as connection:
        batch = add_batch(connection)
        wanted = add_job(connection, batch_id=batch, status=JobStatus.FAILED, code="bad_audio")
        add_job(connection, batch_id=batch, status=JobStatus.FAILED, code="timeout")
        add_job(connection, status=JobStatus.FAILED, code="bad_audio")
        add_job(connection, batch_id=batch)
        which = filters.selection(batch_id=batch, states=[JobStatus.FAILED], code="bad_audio")
        assert [job.id for job in jobs.jobs(connection, which)] == [wanted]
        assert jobs.counts(connection, filters.selection()).total == 4
        assert jobs.counts(connection, filters.selection(job_ids=[wanted])).total == 1
        assert jobs.counts(connection, filters.unfinished(filters.selection(batch_id=batch))).total == 1


def test_a_closed_account_holds_every_waiting_job(database: Database) -> None:
    """But not those in flight, nor those that are over."""
    with database.begin() as connection:
        add_worker(connection, heartbeat_at=datetime.now(UTC))
        add_gate(connection, a_gate())
        for status in (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.RUNNING, JobStatus.SUCCEEDED):
            add_job(connection, status=status)
    found = take_snapshot(database, jobs.all_jobs(), embedded=False)
    assert (found.total, found.finished, found.held) == (4, 1, 2)
    assert [hold.code for hold in found.holds] == ["insufficient_credits"]


def test_a_closed_model_holds_its_own_jobs_alone(database: Database) -> None:
    """And is no matter for a batch that doesn't use it."""
    with database.begin() as connection:
        add_worker(connection, heartbeat_at=datetime.now(UTC))
        add_gate(connection, a_gate(scope=GateScope.MODEL, model=OTHER_MODEL, name=f"model:{OTHER_MODEL}"))
        batch = add_batch(connection)
        add_job(connection, batch_id=batch, model=MODEL)
        add_job(connection, model=OTHER_MODEL)
    assert take_snapshot(database, jobs.all_jobs(), embedded=False).held == 1
    theirs = take_snapshot(database, jobs.of_batch(batch), embedded=False)
    assert (theirs.held, theirs.holds) == (0, ())


def test_nothing_holds_a_finished_job(database: Database) -> None:
    """A finished batch isn't waiting for a worker."""
    with database.begin() as connection:
        add_gate(connection, a_gate())
        add_job(connection, status=JobStatus.SUCCEEDED)
    found = take_snapshot(database, jobs.all_jobs(), embedded=False)
    assert found.all_finished
    assert (found.held, found.holds) == (0, ())


@pytest.mark.parametrize(("embedded", "remedy"), [(True, "`ttsq run`"), (False, "`ttsq worker`")])
def test_a_queue_without_workers_says_what_starts_one(database: Database, *, embedded: bool, remedy: str) -> None:
    """Which depends on where workers live."""
    with database.begin() as connection:
        add_job(connection)
    (hold,) = take_snapshot(database, jobs.all_jobs(), embedded=embedded).holds
    assert hold.code == "no_workers"
    assert remedy in hold.message
