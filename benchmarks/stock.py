"""A queue with a long past and a long backlog, written inside the database: millions of rows in minutes.

Finished jobs have their attempts in the ledger, all marked as noted. Queued jobs belong to batches of several tenants
and are ready to start. Ids are UUIDs of version 7 in order of submission, like the queue's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from api_models.registry import DEFAULT_MODEL
from benchmarks.texts import PROSE
from tests.servers.places import shared_folder
from tests.servers.postgres import Postgres
from worker.store.database import Database

TENANTS: Final = 10
BATCHES: Final = 100
"""Of the finished jobs, and as many of the queued jobs."""
ROWS_PER_BLOCK: Final = 1_000_000
EPOCH_MS: Final = 1_767_225_600_000
"""The first row's time, in milliseconds since 1970: long ago."""


class OnDisk(Postgres):
    """A PostgreSQL server whose data folder is never in memory: there may be more rows than that holds."""

    def home(self) -> Path:
        """A temporary folder on a disk."""
        return shared_folder()


@dataclass(frozen=True, slots=True)
class Lot:
    """Jobs that are alike: all over, or all queued."""

    first: int
    """The number of its first row; every row of a database has its own."""
    rows: int
    is_over: bool

    @property
    def last(self) -> int:
        """The number of its last row."""
        return self.first + self.rows - 1

    @property
    def comes_first(self) -> bool:
        """Whether nothing is there yet."""
        return self.first == 1

    def pieces(self) -> Iterator[Lot]:
        """Split the lot into lots of at most `ROWS_PER_BLOCK` rows."""
        for first in range(self.first, self.last + 1, ROWS_PER_BLOCK):
            yield Lot(first, min(ROWS_PER_BLOCK, self.last + 1 - first), self.is_over)


def batch_of(lot: Lot, row: int) -> UUID:
    """The batch of one of its rows."""
    return UUID(f"{EPOCH_MS:012x}7000{'a' if lot.is_over else 'b'}{row % BATCHES:015x}")


def id_of(row: int) -> UUID:
    """The id of a row."""
    return UUID(f"{EPOCH_MS + row // 100:012x}7{row % 4096:03x}8{row:015x}")


def tenant_of(row: int) -> str:
    """The tenant of a row."""
    return f"tenant {row % BATCHES % TENANTS}"


_JOBS: Final = """
INSERT INTO jobs (id, tenant, batch_id, lane, status, priority, model, text, fingerprint, use_cache, attempt,
  attempts_used, takes_used, recover, created_at, finished_at, cost, cached, uri, content_type, audio_bytes, sha256,
  duration_ms, custom_id, line)
SELECT {id}, 'tenant ' || (g % {batches} % {tenants}), {batch}, {batch}, '{status}', 0, '{model}',
  'Line ' || g || '. {prose}', {fingerprint}, {true}, {over}, {over}, 0, {false}, {at}, {ended}, {cost}, {false},
  {uri}, {type}, {bytes}, {sha256}, {bytes}, 'line ' || g, g
FROM numbers
"""
_ATTEMPTS: Final = """
INSERT INTO attempts (job_id, number, tenant, batch_id, model, started_at, finished_at, verdict, cost, cost_estimated,
  possibly_billed, call_ms, upload_ms, noted)
SELECT {id}, 1, 'tenant ' || (g % {batches} % {tenants}), {batch}, '{model}', {at}, {at}, 'success', {cost}, {false},
  {false}, 8000, 30, {true}
FROM numbers
"""
_BATCHES: Final = """
INSERT INTO batches (id, tenant, name, total, created_at, finished_at)
SELECT {batch}, 'tenant ' || (g % {batches} % {tenants}), 'evening.csv', {rows}, {at}, {ended}
FROM numbers WHERE g < {first} + {batches} ON CONFLICT DO NOTHING
"""
_TALLIES: Final = """
INSERT INTO tallies (lane, tenant, model, priority, status, cached, part, jobs, cost, began_at, ended_at)
SELECT lane, tenant, model, priority, status, cached, nextval('tallies_part'), count(*), sum(cost), min(created_at),
  max(finished_at)
FROM jobs WHERE line BETWEEN {first} AND {last} GROUP BY 1, 2, 3, 4, 5, 6
"""
_POSTGRESQL: Final = {
    "numbers": "WITH numbers AS (SELECT generate_series({first}, {last}) AS g) ",
    "id": "(lpad(to_hex({epoch} + g / 100), 12, '0') || '7' || lpad(to_hex(g % 4096), 3, '0')"
    " || '8' || lpad(to_hex(g), 15, '0'))::uuid",
    "batch": "('{epoch:012x}7000{kind}' || lpad(to_hex(g % {batches}), 15, '0'))::uuid",
    "fingerprint": "lpad(to_hex(g), 64, '0')",
    "at": "to_timestamp(({epoch} + g / 100) / 1000.0)",
    "true": "true",
    "false": "false",
}
_SQLITE: Final = {
    "numbers": "WITH RECURSIVE numbers(g) AS (SELECT {first} UNION ALL SELECT g + 1 FROM numbers WHERE g < {last}) ",
    "id": "printf('%012x7%03x8%015x', {epoch} + g / 100, g % 4096, g)",
    "batch": "printf('{epoch:012x}7000{kind}%015x', g % {batches})",
    "fingerprint": "printf('%064x', g)",
    "at": "strftime('%Y-%m-%d %H:%M:%f000', ({epoch} + g / 100) / 1000.0, 'unixepoch')",
    "true": "1",
    "false": "0",
}
_SQLITE_INDEXES: Final = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('jobs', 'attempts')"
)
_POSTGRESQL_INDEXES: Final = (
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('jobs', 'attempts') AND indexname NOT LIKE 'pk%'"
)


def add(database: Database, lot: Lot) -> None:
    """Write the rows. PostgreSQL clears up and gets its statistics, as it does by itself after a while."""
    if not lot.rows:
        return
    if database.is_sqlite:
        _add_to_sqlite(database, lot)
        return
    with database.begin() as connection:
        # Whether a job's batch exists is not looked up a million times; the tallies then have to be told.
        for setting in (
            "statement_timeout = 0",
            "session_replication_role = replica",
            "maintenance_work_mem = '512MB'",
        ):
            connection.execute(text(f"SET LOCAL {setting}"))
        indexes = [tuple(row) for row in connection.execute(text(_POSTGRESQL_INDEXES))] if lot.comes_first else []
        for statement in _statements(_POSTGRESQL, lot, indexes):
            _run(connection, statement)
        _run(connection, _TALLIES.format(first=lot.first, last=lot.last))
    with database.at_once() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement.replace("%", "%%"), {})


def _add_to_sqlite(database: Database, lot: Lot) -> None:
    """Without a journal, which would write everything twice."""
    database.close()
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {setting}")
        indexes = connection.execute(_SQLITE_INDEXES).fetchall() if lot.comes_first else []
        connection.execute("BEGIN")
        for statement in _statements(_SQLITE, lot, indexes):
            connection.execute(statement)
        connection.execute("COMMIT")


def _statements(words: dict[str, str], lot: Lot, indexes: list[tuple[str, str]]) -> Iterator[str]:
    """Of the rows that come first, the indexes are made afterwards."""
    yield from (f"DROP INDEX {name}" for name, _ in indexes)
    for piece in lot.pieces():
        filled = _filled(words, piece)
        yield from (filled["numbers"] + template.format(**filled) for template in _TEMPLATES[lot.is_over])
    yield from (definition for _, definition in indexes)


_TEMPLATES: Final = {True: (_BATCHES, _JOBS, _ATTEMPTS), False: (_BATCHES, _JOBS)}


def _filled(words: dict[str, str], lot: Lot) -> dict[str, str]:
    numbers: dict[str, str | int] = {
        "first": lot.first,
        "last": lot.last,
        "rows": lot.rows,
        "batches": BATCHES,
        "tenants": TENANTS,
        "epoch": EPOCH_MS,
        "kind": "a" if lot.is_over else "b",
    }
    said = {name: word.format(**numbers) for name, word in words.items()}
    over = {
        "status": "succeeded",
        "over": "1",
        "ended": said["at"],
        "cost": "6700000000",
        "uri": "'s3://audio/' || g || '.wav'",
        "type": "'audio/wav'",
        "bytes": "240000",
        "sha256": said["fingerprint"],
    }
    waits = {
        "status": "queued",
        "over": "0",
        "ended": "NULL",
        "cost": "0",
        "uri": "NULL",
        "type": "NULL",
        "bytes": "NULL",
        "sha256": "NULL",
    }
    known = {name: str(number) for name, number in numbers.items()}
    return {**known, **said, **(over if lot.is_over else waits), "model": DEFAULT_MODEL, "prose": PROSE}
