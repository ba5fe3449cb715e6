"""Each step between two revisions: rows survive it in both directions, while the previous revision's code runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Table,
    event,
    func,
    insert,
    select,
    text,
    update,
)

from api_models.status import JobStatus
from tests.factories import NOW, attempt_row, job_row
from tests.integration.store.revision_rows import BATCHES, PAID, Shape, content, fill, shape
from worker.store import schema
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.base import Base

_KNOWN_ALREADY: Final = frozenset({"spent", "finished_at"})
"""Columns that a step fills from what the other rows say."""


def revisions() -> list[str]:
    """Every revision, the oldest first."""
    scripts = ScriptDirectory(str(schema.migrations_folder()))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


STEPS: Final = [
    pytest.param(old, new, id=f"{old}-{new}") for old, new in zip(revisions(), revisions()[1:], strict=False)
]


def additions(old: Shape, new: Shape) -> Iterator[tuple[Table, tuple[str, ...]]]:
    """The columns that a step adds to tables that were there before."""
    for table, columns in new.tables():
        if table.name in old.columns:
            yield table, tuple(name for name in columns if name not in old.columns[table.name])


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_rows_survive_a_step_up_down_and_up_again(empty_database: Database, before: str, after: str) -> None:
    """Every table holds rows; what the step adds is empty or has its default, but for what is known already."""
    schema.upgrade(empty_database, before)
    with empty_database.begin() as connection:
        old = shape(connection)
        fill(connection, old)
        rows = content(connection, old)
    assert all(rows.values())
    for go, to in ((schema.upgrade, after), (schema.downgrade, before), (schema.upgrade, after)):
        go(empty_database, to)
        with empty_database.read() as connection:
            assert content(connection, old) == rows
    with empty_database.read() as connection:
        for table, columns in additions(old, shape(connection)):
            for column in (table.c[name] for name in columns if name not in _KNOWN_ALREADY):
                found = set(connection.execute(select(column)).scalars())
                assert found <= {None} or column.server_default is not None


def test_a_batch_begins_with_what_it_had_spent(empty_database: Database) -> None:
    """As far as the dispatcher has read the ledger: the rest is still to be read, and added then."""
    schema.upgrade(empty_database, "0001")
    with empty_database.begin() as connection:
        fill(connection, shape(connection))
    schema.upgrade(empty_database)
    with empty_database.read() as connection:
        batches = Base.metadata.tables["batches"]
        spent = {row.id: row.spent for row in connection.execute(select(batches.c.id, batches.c.spent))}
    assert spent == {BATCHES[0]: 2 * PAID, BATCHES[1]: Decimal(0)}


def test_a_batch_that_was_over_stays_over(empty_database: Database) -> None:
    """Batches that finished before result files existed get none; a batch with unfinished jobs gets them."""
    schema.upgrade(empty_database, "0005")
    with empty_database.begin() as connection:
        fill(connection, shape(connection))
    schema.upgrade(empty_database)
    with empty_database.read() as connection:
        batches = Base.metadata.tables["batches"]
        finished = {row.id: row.finished_at for row in connection.execute(select(batches.c.id, batches.c.finished_at))}
    assert finished == {BATCHES[0]: None, BATCHES[1]: NOW}


def test_jobs_from_before_the_tallies_are_counted(empty_database: Database) -> None:
    """Jobs and their costs, and what becomes of them afterwards."""
    schema.upgrade(empty_database, "0005")
    with empty_database.begin() as connection:
        fill(connection, shape(connection))
    schema.upgrade(empty_database)
    jobs = Base.metadata.tables["jobs"]
    with empty_database.begin() as connection:
        assert job_queries.counts(connection, job_queries.all_jobs()).total == _number(connection, jobs) > 0
        connection.execute(jobs.delete())
        assert job_queries.counts(connection, job_queries.all_jobs()).total == 0


def _number(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_the_previous_revisions_code_keeps_running(empty_database: Database, before: str, after: str) -> None:
    """It inserts without the columns that it doesn't know, changes and reads those that it does."""
    schema.upgrade(empty_database, before)
    with empty_database.read() as connection:
        old = shape(connection)
    schema.upgrade(empty_database, after)
    with empty_database.begin() as connection:
        fill(connection, old)
        rows = content(connection, old)
        for table, columns in old.tables():
            changed = connection.execute(update(table).values({name: table.c[name] for name in columns}))
            assert changed.rowcount == len(rows[table.name]) > 0
        assert content(connection, old) == rows


@dataclass(frozen=True, slots=True)
class OldWorkers:
    """Workers of an older revision that go about their work: one writes jobs and attempts, one changes and reads."""

    database: Database
    known: Shape
    over: threading.Event

    def write(self) -> int:
        """Add jobs with their attempts until stopped; returns how many."""
        written = 0
        while not self.over.is_set():
            job, attempt = job_row(batch_id=BATCHES[1]), attempt_row(batch_id=BATCHES[1])
            with self.database.begin() as connection:
                for name, row in (("jobs", job), ("attempts", attempt)):
                    known = {column: row[column] for column in self.known.columns[name] if column in row}
                    connection.execute(insert(Base.metadata.tables[name]).values(known))
            written += 1
        return written

    def work(self) -> int:
        """Claim one job after the other, and note one attempt; how often."""
        jobs, attempts, done = Base.metadata.tables["jobs"], Base.metadata.tables["attempts"], 0
        while not self.over.is_set():
            with self.database.begin() as connection:
                known = [jobs.c[name] for name in self.known.columns["jobs"]]
                job = connection.execute(select(*known).where(jobs.c.status == "queued").limit(1)).mappings().one()
                changed = update(jobs).where(jobs.c.id == job["id"]).values(attempt=jobs.c.attempt + 1)
                assert connection.execute(changed).rowcount == 1
                connection.execute(update(attempts).where(attempts.c.job_id == job["id"]).values(noted=True))
            done += 1
        return done


@contextmanager
def at_work(parts: Sequence[Callable[[], int]], over: threading.Event) -> Iterator[list[int]]:
    """Everybody works meanwhile; what each has done is in the list afterwards. What they raise is raised."""
    done: list[int] = []
    with ThreadPoolExecutor(len(parts)) as executor:
        working = [executor.submit(part) for part in parts]
        try:
            yield done
        finally:
            over.set()
        done += [work.result() for work in working]


def test_workers_keep_running_while_the_tables_change(empty_database: Database) -> None:
    """From the first revision to the newest under load: no statement of theirs fails, and nothing is lost."""
    schema.upgrade(empty_database, "0001")
    with empty_database.begin() as connection:
        known = shape(connection)
        fill(connection, known)
    workers = OldWorkers(empty_database, known, threading.Event())
    with at_work([workers.write, workers.write, workers.work, workers.work], workers.over) as done:
        schema.upgrade(empty_database)
    assert schema.revision(empty_database) == schema.HEAD
    with empty_database.read() as connection:
        jobs = connection.execute(select(func.count()).select_from(Base.metadata.tables["jobs"])).scalar_one()
    assert jobs == len(JobStatus) + done[0] + done[1]


def test_a_table_in_use_is_waited_for_without_keeping_others_waiting(empty_on_postgresql: Database) -> None:
    """A backup reads the jobs for a long time: the migration tries again and again, and workers get in between."""
    database = empty_on_postgresql
    schema.upgrade(database, "0001")
    with database.begin() as connection:
        known = shape(connection)
        fill(connection, known)
    refused = waits_for_lock(database)
    with ThreadPoolExecutor(1) as executor:
        with database.read() as backup:
            backup.execute(text("SELECT count(*) FROM jobs"))
            migration = executor.submit(schema.upgrade, database)
            next(refused)
            with database.begin() as connection:
                # With the migration standing in line before it, this waits; it must not wait for the backup's end.
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                connection.execute(text("SELECT count(*) FROM jobs WHERE status = 'queued'"))
            assert not migration.done()
        migration.result()
    assert schema.revision(database) == schema.HEAD


def waits_for_lock(database: Database) -> Iterator[int]:
    """Yields the process that waits for a table's lock, once per call."""
    query = text("SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
    while True:
        with database.glance() as connection:
            yield from connection.execute(query).scalars()


def test_a_migration_is_more_patient_with_another_than_with_a_table(empty_on_postgresql: Database) -> None:
    """It waits minutes for its turn, whatever a worker's statements may wait, and only a moment for each table."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(empty_on_postgresql.engine, "before_cursor_execute", note)
    schema.upgrade(empty_on_postgresql)
    turn = next(number for number, statement in enumerate(sent) if "pg_advisory_xact_lock" in statement)
    table = next(number for number, statement in enumerate(sent) if "CREATE TABLE attempts" in statement)
    assert [word for word in sent[:turn] if "lock_timeout" in word] == ["SET LOCAL lock_timeout = '30min'"]
    assert [word for word in sent[turn:table] if "lock_timeout" in word] == ["SET LOCAL lock_timeout = '800ms'"]
