"""Databases made by revisions that were edited after their first commit end up like all others, with their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select, text

from tests.factories import add_job
from tests.integration.store.revision_rows import Shape, content, fill, shape
from tests.integration.store.schema_description import described
from worker.store import schema
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.base import Base

_TALLIES: Final = {
    "postgresql": [
        *(f"DROP TRIGGER tally_{statement} ON jobs" for statement in ("insert", "update", "delete")),
        "DROP FUNCTION tally_jobs()",
        "DROP SEQUENCE tallies_part",
        "DROP TABLE tallies",
    ],
    "sqlite": ["DROP TABLE tallies"],
}
_DURATIONS: Final = [
    "DROP INDEX ix_jobs_submitted",
    "ALTER TABLE attempts DROP COLUMN call_ms",
    "ALTER TABLE attempts DROP COLUMN upload_ms",
]
_SEARCH: Final = ["ALTER TABLE pace DROP COLUMN search"]


def unmade(form: str, dialect: str) -> list[str]:
    """What takes the newest form of revision 0006 back to one of the forms in which it was first committed."""
    return {
        "0006 as it is": [],
        "0006 without tallies": _TALLIES[dialect],
        "0006 as first committed": [*_TALLIES[dialect], *_DURATIONS],
        "0006 upon 0001 as first committed": [*_TALLIES[dialect], *_DURATIONS, *_SEARCH],
        "0006 as it is upon 0001 as first committed": _SEARCH,
    }[form]


FORMS: Final = [
    "0006 as it is",
    "0006 without tallies",
    "0006 as first committed",
    "0006 upon 0001 as first committed",
    "0006 as it is upon 0001 as first committed",
]


def make(database: Database, form: str) -> None:
    """Bring an empty database to this form of revision 0006."""
    schema.upgrade(database, "0006")
    with database.begin() as connection:
        run(connection, unmade(form, connection.dialect.name))


def run(connection: Connection, statements: Sequence[str]) -> None:
    """Carry out each."""
    for statement in statements:
        connection.execute(text(statement))


def triggers(connection: Connection) -> list[tuple[str, str]]:
    """Every trigger with its definition; SQLite has none of ours."""
    if connection.dialect.name == "sqlite":
        return []
    query = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname"
    return [(row[0], row[1]) for row in connection.execute(text(query))]


def functions(connection: Connection) -> list[str]:
    """The body of every function of ours."""
    if connection.dialect.name == "sqlite":
        return []
    return list(connection.execute(text("SELECT prosrc FROM pg_proc WHERE proname LIKE 'tally%'")).scalars())


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_the_schema_of_the_models_and_keeps_its_rows(
    migrated_and_empty: tuple[Database, Database], form: str
) -> None:
    """Columns, indexes, triggers and functions; and whatever stood in the tables stands there still."""
    whole, database = migrated_and_empty
    make(database, form)
    with database.begin() as connection:
        known = shape(connection)
        fill(connection, known)
        rows = content(connection, known)
    schema.upgrade(database)
    with whole.read() as one, database.read() as other:
        assert described(other) == described(one)
        assert triggers(other) == triggers(one)
        assert functions(other) == functions(one)
        found = content(other, known)
        # A tally of before is joined by what the rows of this test add, which is counted in the next test.
        assert {name: found[name] for name in rows if name != "tallies"} == {
            name: rows[name] for name in rows if name != "tallies"
        }
        context = MigrationContext.configure(other, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("form", FORMS)
def test_jobs_of_every_form_are_counted_once(empty_database: Database, form: str) -> None:
    """Those of before, those that come, and those that go: the tallies say what the table says."""
    jobs = Base.metadata.tables["jobs"]
    make(empty_database, form)
    with empty_database.begin() as connection:
        known = shape(connection)
        fill(connection, Shape({name: columns for name, columns in known.columns.items() if name != "tallies"}))
    schema.upgrade(empty_database)
    with empty_database.begin() as connection:
        add_job(connection)
        number = connection.execute(select(func.count()).select_from(jobs)).scalar_one()
        assert job_queries.counts(connection, job_queries.all_jobs()).total == number > 1
        connection.execute(jobs.delete())
        assert job_queries.counts(connection, job_queries.all_jobs()).total == 0


@pytest.mark.parametrize("form", FORMS)
def test_every_form_goes_down_and_up_again(empty_database: Database, form: str) -> None:
    """A step back leaves the newest form of 0006, which knows how to take itself back; repeating changes nothing."""
    make(empty_database, form)
    schema.upgrade(empty_database)
    with empty_database.read() as connection:
        healed = described(connection)
    for go, to in ((schema.downgrade, "0006"), (schema.upgrade, "head"), (schema.downgrade, "base")):
        go(empty_database, to)
    schema.upgrade(empty_database)
    with empty_database.read() as connection:
        assert described(connection) == healed
