"""Indexes that PostgreSQL builds beside its writers: a build that broke off leaves an invalid one, and is made good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from worker.store import late_indexes, schema
from worker.store.database import Database

NAMES: Final = tuple(late_indexes.LATE)
VALID: Final = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def states(database: Database) -> dict[str, bool | None]:
    """Whether each index is valid; None where there is none."""
    with database.read() as connection:
        return {name: connection.execute(VALID, {"name": name}).scalar() for name in NAMES}


def drop(database: Database, name: str) -> str:
    """Remove an index; returns what makes it again beside writers."""
    with database.begin() as connection:
        definition = text("SELECT indexdef FROM pg_indexes WHERE indexname = :name")
        made: str = connection.execute(definition, {"name": name}).scalar_one()
        connection.execute(text(f"DROP INDEX {name}"))
    return made.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)


def break_off(database: Database, name: str) -> None:
    """Leave what a build leaves that was cancelled while it waited for a transaction."""
    statement = drop(database, name)
    with database.begin() as writer:
        writer.execute(text("LOCK TABLE jobs, attempts, events IN ROW EXCLUSIVE MODE"))
        with database.at_once() as builder:
            builder.execute(text("SET statement_timeout = '200ms'"))
            with pytest.raises(OperationalError):
                builder.execute(text(statement))
            builder.invalidate()


@pytest.mark.parametrize("broken", NAMES)
def test_a_build_that_broke_off_is_made_good(on_postgresql: Database, broken: str) -> None:
    """By the next `migrate`, which also makes those that are not there at all."""
    break_off(on_postgresql, broken)
    others = [name for name in NAMES if name != broken]
    for name in others:
        drop(on_postgresql, name)
    assert states(on_postgresql) == {broken: False} | dict.fromkeys(others)
    schema.upgrade(on_postgresql)
    assert states(on_postgresql) == dict.fromkeys(NAMES, True)


def test_several_may_build_at_once(on_postgresql: Database) -> None:
    """Each returns when all indexes are there."""
    for name in NAMES:
        drop(on_postgresql, name)
    with ThreadPoolExecutor(4) as pool:
        for built in [pool.submit(late_indexes.build, on_postgresql, "9999") for _ in range(4)]:
            built.result()
            assert states(on_postgresql) == dict.fromkeys(NAMES, True)


def test_a_refused_build_is_an_error_and_the_next_one_resumes(on_postgresql: Database) -> None:
    """A database without room or rights: what was built stays, the rest is built later, no lock is kept."""
    for name in NAMES:
        drop(on_postgresql, name)
    with on_postgresql.begin() as connection:
        connection.execute(text(f"CREATE TABLE {NAMES[-1]} (taken int)"))
    with pytest.raises(DBAPIError):
        late_indexes.build(on_postgresql, "9999")
    assert states(on_postgresql)[NAMES[0]] is True
    with on_postgresql.begin() as connection:
        connection.execute(text(f"DROP TABLE {NAMES[-1]}"))
    late_indexes.build(on_postgresql, "9999")
    assert states(on_postgresql) == dict.fromkeys(NAMES, True)
