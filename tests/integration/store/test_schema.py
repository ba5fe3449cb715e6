"""The schema: models and migrations say the same on both databases, and migrating is safe to repeat, undo and race."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from api_models.status import JobStatus
from tests.factories import (
    a_gate,
    add_attempt,
    add_batch,
    add_gate,
    add_job,
    add_lease,
    add_worker,
)
from tests.integration.store.schema_description import described
from worker.store import account, schema
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.base import Base

RIVALS = 4


def test_alembic_finds_nothing_to_do(database: Database) -> None:
    """Autogenerate sees no difference between the migrated schema and the models."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_schema_is_that_of_the_models(migrated_and_empty: tuple[Database, Database]) -> None:
    """Down to what alembic doesn't compare: predicates of partial indexes, CHECK constraints, names of keys."""
    migrated, modelled = migrated_and_empty
    with modelled.begin() as connection:
        Base.metadata.create_all(connection)
    with migrated.read() as one, modelled.read() as other:
        assert described(one) == described(other)


def test_the_comparison_would_see_a_predicate_or_a_constraint_change(database: Database) -> None:
    """The description holds every partial index with its predicate, every CHECK constraint, and how rows are stored."""
    with database.read() as connection:
        jobs = described(connection)["jobs"]
    assert {name for name, index in jobs["indexes"].items() if index["where"]} == {
        "ix_jobs_queued",
        "ix_jobs_due",
        "ix_jobs_deadline",
        "ix_jobs_in_flight",
        "ix_jobs_bought",
        "ix_jobs_follows",
        "ix_jobs_submitted",
        "ix_jobs_key",
        "ix_jobs_key_open",
        "ix_jobs_code",
        "ix_jobs_ended_pages",
        "ix_jobs_pages",
        "ix_jobs_to_date",
        "ix_jobs_to_purge",
        "ix_jobs_parts",
        "ix_jobs_documents",
    }
    assert len(jobs["checks"]) == 6
    assert bool(jobs["settings"]) is not database.is_sqlite


def test_the_newest_revision_is_the_one_the_code_expects(database: Database) -> None:
    """`HEAD` is the migrations folder's one head, and where a migrated database stands."""
    assert ScriptDirectory(str(schema.migrations_folder())).get_heads() == [schema.HEAD]
    assert schema.revision(database) == schema.HEAD


def test_an_unmigrated_database_has_no_revision(empty_database: Database) -> None:
    """Asking is no error, and changes nothing."""
    assert schema.revision(empty_database) is None
    with empty_database.read() as connection:
        assert inspect(connection).get_table_names() == []


def fill(connection: Connection) -> None:
    """At least one row in every table, and a job in every state."""
    worker = add_worker(connection)
    batch = add_batch(connection)
    for status in JobStatus:
        add_job(connection, batch_id=batch, custom_id=str(status), status=status, worker_id=worker)
    add_attempt(connection, cost=Decimal("0.0067"))
    add_lease(connection)
    add_gate(connection, a_gate())
    account.save_pace(connection, account.PaceState(rpm=60))


def test_migrations_go_down_and_up_again_over_rows(database: Database) -> None:
    """Tables full of rows hinder neither direction, and what comes up again is whole."""
    with database.begin() as connection:
        fill(connection)
    with database.read() as connection:
        before = described(connection)
    schema.downgrade(database, "base")
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    assert schema.revision(database) is None
    schema.upgrade(database)
    with database.read() as connection:
        assert described(connection) == before
    with database.begin() as connection:
        fill(connection)


def test_upgrading_again_changes_nothing(database: Database) -> None:
    """Rows stay, and so does the schema."""
    with database.begin() as connection:
        fill(connection)
    schema.upgrade(database)
    with database.read() as connection:
        assert job_queries.counts(connection, job_queries.all_jobs()).total == len(JobStatus)
    assert schema.revision(database) == schema.HEAD


def migrate(url: str) -> str | None:
    """What each of several processes does at its start."""
    database = Database(url)
    try:
        schema.upgrade(database)
        return schema.revision(database)
    finally:
        database.close()


def in_threads() -> Executor:
    """Rivals in this process."""
    return ThreadPoolExecutor(RIVALS)


def in_processes() -> Executor:
    """Rivals in processes of their own."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("rivals", [in_threads, in_processes])
def test_many_may_migrate_at_once(empty_database: Database, rivals: Callable[[], Executor]) -> None:
    """The first one migrates, the others wait and find nothing to do."""
    url = empty_database.url.render_as_string(hide_password=False)
    with rivals() as executor:
        assert list(executor.map(migrate, [url] * RIVALS)) == [schema.HEAD] * RIVALS


def test_a_failed_migration_leaves_nothing_behind(empty_database: Database) -> None:
    """A revision is applied whole or not at all, on both databases."""
    with empty_database.begin() as connection:
        connection.execute(text("CREATE TABLE jobs (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        schema.upgrade(empty_database)
    with empty_database.read() as connection:
        assert inspect(connection).get_table_names() == ["jobs"]
