"""SQL sources of schedules: read as written, never written to, and bounded in time and size."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from worker.schedules import query
from worker.schedules.query import QueryError, QueryLimits
from worker.store.database import Database

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n WHERE i < 0"


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """A producer's SQLite file."""
    path = tmp_path / "a b.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE news (text TEXT)")
        connection.execute("INSERT INTO news VALUES ('fifty %s, 100 % sure')")
    connection.close()
    return path


def rows(address: str, sql: str, folder: Path) -> list[object]:
    """What a query returns."""
    into = folder / "rows.jsonl"
    query.write(address, sql, into)
    return [json.loads(line) for line in into.read_text().splitlines()]


def address_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'fifty %s' AS text",
        "SELECT '100 %' AS text",
        "SELECT '%(name)s %% %' AS text",
        "SELECT 'fifty $1' AS text WHERE 'abc' LIKE 'a%'",
        "SELECT ':name ? %d' AS text -- 5 %",
    ],
)
def test_a_percent_sign_is_what_it_is(database: Database, tmp_path: Path, sql: str) -> None:
    """Neither a placeholder nor half a one."""
    assert rows(address_of(database), sql, tmp_path) == [{"text": sql.split("'")[1]}]


WRITING = [
    "DROP TABLE news",
    "DELETE FROM news RETURNING text",
    "UPDATE news SET text = 'x' RETURNING text",
    "INSERT INTO news VALUES ('x') RETURNING text",
    "CREATE TABLE other AS SELECT 1",
    "VACUUM INTO '{folder}/stolen.db'",
    "ATTACH '{folder}/other.db' AS other",
    "PRAGMA user_version = 7",
    "PRAGMA journal_mode = DELETE",
    "SELECT load_extension('{folder}/x')",
    "SELECT 1; DROP TABLE news",
    "BEGIN",
]


@pytest.mark.parametrize("sql", WRITING)
def test_a_sqlite_source_can_only_be_read(news: Path, tmp_path: Path, sql: str) -> None:
    """No statement changes it, or makes a file beside it."""
    before = news.read_bytes()
    with pytest.raises(QueryError):
        query.write(f"sqlite:///{news}", sql.format(folder=tmp_path), tmp_path / "rows.jsonl")
    assert news.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {news.name, "rows.jsonl"}
    assert rows(f"sqlite:///{news}", "SELECT text FROM news", tmp_path) == [{"text": "fifty %s, 100 % sure"}]


def test_a_sqlite_source_that_is_missing_is_not_made(tmp_path: Path) -> None:
    """A wrong path is an error, and leaves no empty file."""
    with pytest.raises(QueryError, match="unable to open"):
        query.write(f"sqlite:///{tmp_path}/none.db", "SELECT 1", tmp_path / "rows.jsonl")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE news",
        "DELETE FROM news RETURNING text",
        "WITH gone AS (DELETE FROM news RETURNING text) SELECT text FROM gone",
        "SELECT 1; COMMIT; DROP TABLE news",
        "COMMIT; DROP TABLE news",
        "SELECT setval('numbers', 7)",
    ],
)
def test_a_postgresql_source_can_only_be_read(on_postgresql: Database, tmp_path: Path, sql: str) -> None:
    """Whatever the role may do, and however the statement tries to leave its transaction."""
    with on_postgresql.begin() as connection:
        connection.execute(text("CREATE TABLE news (text TEXT)"))
        connection.execute(text("INSERT INTO news VALUES ('Good night.')"))
        connection.execute(text("CREATE SEQUENCE numbers"))
    with pytest.raises(QueryError):
        query.write(address_of(on_postgresql), sql, tmp_path / "rows.jsonl")
    assert rows(address_of(on_postgresql), "SELECT text FROM news", tmp_path) == [{"text": "Good night."}]


def test_a_query_has_a_time_limit(database: Database, tmp_path: Path) -> None:
    """One that never ends is given up, by the database itself."""
    sql = ENDLESS if database.is_sqlite else "SELECT pg_sleep(100)"
    with pytest.raises(QueryError) as refusal:
        query.write(address_of(database), sql, tmp_path / "rows.jsonl", QueryLimits(seconds=0.3))
    assert not refusal.value.passing


def test_a_query_has_limits_of_rows_and_bytes(database: Database, tmp_path: Path) -> None:
    """The error names the limit; up to it everything is written."""
    three = "SELECT 1 AS text UNION ALL SELECT 2 UNION ALL SELECT 3"
    into = tmp_path / "rows.jsonl"
    with pytest.raises(QueryError, match="more than 2 rows"):
        query.write(address_of(database), three, into, QueryLimits(rows=2))
    assert query.write(address_of(database), three, into, QueryLimits(rows=3)) == 3
    with pytest.raises(QueryError, match="MiB"):
        query.write(address_of(database), three, into, QueryLimits(megabytes=0.00001))
