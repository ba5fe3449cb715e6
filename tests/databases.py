"""Databases for tests: migrated once a test process, and copied for each test.

`tests/integration/conftest.py` re-exports the fixtures. A test that requests `database` runs on both databases.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.servers.postgres import Postgres
from worker.store import schema
from worker.store.database import Database

TEMPLATE: Final = "ttsq_template"
BOTH: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.servers))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with all tables and no rows, to be copied."""
    return template(postgres)


def template(postgres: Postgres) -> str:
    """As `migrated_template`; made when it is first asked of a server."""
    if not postgres.has_database(TEMPLATE):
        _migrate(postgres.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def on_sqlite(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh migrated SQLite database."""
    path = tmp_path / "queue.db"
    shutil.copyfile(migrated_file, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def on_postgresql(postgres: Postgres, migrated_template: str) -> Iterator[Database]:
    """A fresh migrated PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    database = Database(postgres.create_database(name, template=migrated_template))
    yield database
    database.close()
    postgres.drop_database(name)


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh migrated database, once on each kind."""
    made: Database = request.getfixturevalue(f"on_{request.param}")
    return made


@pytest.fixture
def empty_on_sqlite(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database without any table."""
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    yield database
    database.close()


@pytest.fixture
def empty_on_postgresql(postgres_database: str) -> Iterator[Database]:
    """A PostgreSQL database without any table."""
    database = Database(postgres_database)
    yield database
    database.close()


@pytest.fixture(params=BOTH)
def empty_database(request: pytest.FixtureRequest) -> Database:
    """A database without any table, once on each kind."""
    made: Database = request.getfixturevalue(f"empty_on_{request.param}")
    return made


@pytest.fixture(params=BOTH)
def migrated_and_empty(request: pytest.FixtureRequest) -> tuple[Database, Database]:
    """Two databases of one kind, the first migrated, the second without any table; once on each kind."""
    return request.getfixturevalue(f"on_{request.param}"), request.getfixturevalue(f"empty_on_{request.param}")


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()
