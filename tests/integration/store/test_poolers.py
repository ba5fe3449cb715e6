"""PostgreSQL behind PgBouncer: the same schema, timeouts and search path as without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import text

from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from worker.store import late_indexes, notifications, schema
from worker.store.database import STATEMENT_TIMEOUT_MS, Database

SCHEMA = "speech"
OPTIONS = f"?options=-csearch_path%3D{SCHEMA}"


@pytest.fixture(params=["session", "transaction"])
def pooler(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[PgBouncer]:
    """A pooler in each mode."""
    with PgBouncer(postgres, request.param) as made:
        yield made


@pytest.fixture
def pooled(pooler: PgBouncer, postgres_database: str) -> Iterator[Database]:
    """A database behind it, with a schema of its own."""
    with closing(Database(postgres_database, connections=1)) as direct, direct.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    with closing(Database(pooler.url(postgres_database.rpartition("/")[2], OPTIONS))) as database:
        yield database


def shown(database: Database, name: str) -> list[str]:
    """A setting, as each way to reach the database has it."""
    found = []
    for way in (database.begin, database.read, database.glance, database.at_once):
        with way() as connection:
            found.append(connection.execute(text(f"SHOW {name}")).scalar_one())
    return found


def test_a_pooler_is_recognised(pooled: Database, postgres_database: str) -> None:
    """By the number of the process that answers."""
    assert pooled.is_pooled
    with closing(Database(postgres_database, connections=1)) as direct:
        assert not direct.is_pooled


def test_every_transaction_has_its_settings(pooled: Database) -> None:
    """Whichever session it is lent, also where many connections take turns."""
    for _ in range(3):
        assert shown(pooled, "search_path") == [SCHEMA] * 4
        assert shown(pooled, "statement_timeout") == [f"{STATEMENT_TIMEOUT_MS // 1_000}s"] * 4
        assert shown(pooled, "timezone") == ["UTC"] * 4


def test_the_schema_is_made_where_the_search_path_says(pooled: Database) -> None:
    """With the indexes that are built outside a transaction; a second call finds all of it."""
    schema.upgrade(pooled)
    schema.upgrade(pooled)
    assert schema.revision(pooled) == schema.HEAD
    with pooled.read() as connection:
        tables = connection.execute(text("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'jobs'"))
        assert tables.scalars().all() == [SCHEMA]
        late = connection.execute(
            text("SELECT count(*) FROM pg_indexes WHERE schemaname = :schema AND indexname = ANY(:names)"),
            {"schema": SCHEMA, "names": list(late_indexes.LATE)},
        )
        assert late.scalar_one() == len(late_indexes.LATE)


def test_listening_does_no_harm(pooled: Database) -> None:
    """In transaction mode nothing is heard, and the dispatcher polls; nothing breaks in either."""
    schema.upgrade(pooled)
    with notifications.watch(pooled) as wait:
        with pooled.begin() as connection:
            notifications.announce(connection)
        assert set(wait(0.2)) <= {notifications.CHANNEL}


def test_options_of_the_address_apply_without_a_pooler(postgres_database: str) -> None:
    """They were discarded in favour of our own; and what the address says of timeouts and names wins."""
    address = f"{postgres_database}{OPTIONS}%20-c%20statement_timeout%3D7s&application_name=nightly"
    with closing(Database(address, connections=1)) as database:
        assert shown(database, "search_path") == [SCHEMA] * 4
        assert shown(database, "statement_timeout") == ["7s"] * 4
        assert shown(database, "application_name") == ["nightly"] * 4
