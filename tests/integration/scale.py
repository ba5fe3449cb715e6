"""A queue with a long past and a long backlog, made inside the database in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, func, insert, literal, select, text

from api_models.status import JobStatus
from tests.factories import MODEL, NOW, Values, add_batch, add_jobs, add_worker, attempt_row, job_row
from worker.store.database import Database
from worker.store.outbox.deliveries import CURSOR
from worker.store.tables.account import TenantMonth
from worker.store.tables.jobs import Attempt
from worker.store.tables.webhooks import Cursor, EventRow

BIG_BATCHES: Final = 100
FAR: Final = NOW + timedelta(days=30)
LATER: Final = NOW + timedelta(hours=1)
FEW: Final = 12
"""Jobs of each kind that the statements look for."""

SMALL: Final = UUID(int=2**64)
"""A batch of a few jobs among the big ones."""
HOLDER: Final = UUID(int=2**65)
"""The worker that has everything in flight."""

# Half of the jobs are over, each with its attempt; the others wait, one in ten of them for its time.
_JOBS: Final = """
INSERT INTO jobs (id, tenant, batch_id, lane, status, priority, not_before, deadline, model, text, fingerprint,
  use_cache, attempt, attempts_used, takes_used, recover, created_at, finished_at, code, cost, cached, uri, sha256,
  custom_id, line)
SELECT {id}, 'tenant ' || g % 10, {batch}, {batch},
  CASE WHEN g % 2 = 1 THEN CASE WHEN g % 20 = 1 THEN 'scheduled' ELSE 'queued' END
       WHEN g % 50 = 0 THEN 'failed' ELSE 'succeeded' END,
  0, CASE WHEN g % 20 = 1 THEN {far} END, CASE WHEN g % 4 = 1 THEN {far} END,
  '{model}', 'Good evening, visitor ' || g, {fingerprint}, {true}, 1, 1, 0, {false}, {now},
  CASE WHEN g % 2 = 0 THEN {now} END, CASE WHEN g % 50 = 0 THEN 'invalid_request' END, 6700000000, {false},
  'file:///audio/' || g, {fingerprint}, 'line ' || g, g
FROM numbers
"""
_ATTEMPTS: Final = """
INSERT INTO attempts (job_id, number, tenant, batch_id, model, started_at, finished_at, verdict, cost, cost_estimated,
  possibly_billed, noted)
SELECT {id}, 1, 'tenant ' || g % 10, {batch}, '{model}', {now}, {now}, 'success', 6700000000, {false}, {false}, {true}
FROM numbers WHERE g % 2 = 0
"""
_BATCHES: Final = """
INSERT INTO batches (id, tenant, name, total, created_at)
SELECT {batch}, 'tenant ' || g % 10, 'evening.csv', {rows}, {now} FROM numbers WHERE g <= {batches}
"""
_TALLIES: Final = """
INSERT INTO tallies (lane, tenant, model, priority, status, cached, part, jobs, cost, began_at, ended_at)
SELECT lane, tenant, model, priority, status, cached, 0, count(*), sum(cost), min(created_at), max(finished_at)
FROM jobs GROUP BY 1, 2, 3, 4, 5, 6
"""
# One in ten thousand concerns the whole account, and one in twenty thousand the quiet tenant.
_EVENTS: Final = """
INSERT INTO events (id, at, type, tenant, subject, data)
SELECT g, {now}, 'job.succeeded', CASE WHEN g % 10000 = 0 THEN NULL WHEN g % 20000 = 1 THEN 'quiet' ELSE 'loud' END,
  substr({fingerprint}, 33), '{{}}'
FROM numbers
"""
_TEMPLATES: Final = (_BATCHES, _JOBS, _ATTEMPTS, _EVENTS)
_POSTGRESQL: Final = {
    "numbers": "WITH numbers AS (SELECT generate_series(1, {rows}) AS g) ",
    "id": "lpad(to_hex(g), 32, '0')::uuid",
    "batch": "lpad(to_hex(g % {batches} + 1), 32, '0')::uuid",
    "fingerprint": "lpad(to_hex(g), 64, '0')",
    "far": f"timestamptz '{FAR.isoformat()}'",
    "now": f"timestamptz '{NOW.isoformat()}'",
    "true": "true",
    "false": "false",
}
_SQLITE: Final = {
    "numbers": "WITH RECURSIVE numbers(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM numbers WHERE g < {rows}) ",
    "id": "printf('%032x', g)",
    "batch": "printf('%032x', g % {batches} + 1)",
    "fingerprint": "printf('%064x', g)",
    "far": f"'{FAR:%Y-%m-%d %H:%M:%S.%f}'",
    "now": f"'{NOW:%Y-%m-%d %H:%M:%S.%f}'",
    "true": "1",
    "false": "0",
}

_SQLITE_INDEXES: Final = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    " AND tbl_name IN ('jobs', 'attempts', 'events')"
)
_POSTGRESQL_INDEXES: Final = (
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('jobs', 'attempts', 'events')"
    " AND indexname NOT LIKE 'pk%'"
)


def fill(database: Database, rows: int) -> None:
    """Insert `rows` jobs, and a few of each kind that hot statements look for. PostgreSQL gets its statistics."""
    if database.is_sqlite:
        _fill_sqlite(database, rows)
    else:
        _fill_postgresql(database, rows)
    with database.begin() as connection:
        _add_few(connection)


def _fill_sqlite(database: Database, rows: int) -> None:
    """Without a journal, which would write everything twice."""
    database.close()
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            connection.execute(f"PRAGMA {setting}")
        indexes = connection.execute(_SQLITE_INDEXES).fetchall()
        connection.execute("BEGIN")
        for statement in _statements(_SQLITE, rows, indexes):
            connection.execute(statement)
        connection.execute("COMMIT")


def _fill_postgresql(database: Database, rows: int) -> None:
    """Whether a job's batch exists is not looked up a million times; what triggers would do is done here."""
    with database.begin() as connection:
        for setting in (
            "statement_timeout = 0",
            "session_replication_role = replica",
            "maintenance_work_mem = '256MB'",
        ):
            connection.execute(text(f"SET LOCAL {setting}"))
        indexes = [tuple(row) for row in connection.execute(text(_POSTGRESQL_INDEXES))]
        for statement in _statements(_POSTGRESQL, rows, indexes):
            connection.exec_driver_sql(statement.replace("%", "%%"), {})
        connection.execute(text(_TALLIES))
    with database.at_once() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


def _statements(words: dict[str, str], rows: int, indexes: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The rows first, and the indexes over them afterwards."""
    numbers = {"rows": rows, "batches": BIG_BATCHES, "model": MODEL}
    filled = {name: word.format(**numbers) for name, word in words.items()}
    yield from (f"DROP INDEX {name}" for name, _ in indexes)
    yield from (filled["numbers"] + template.format(**filled, **numbers) for template in _TEMPLATES)
    yield from (definition for _, definition in indexes)


def few(status: JobStatus, offset: int, **columns: object) -> list[Values]:
    """A few jobs of one kind; their ids are known."""
    plain = {"status": status, "not_before": FAR, "deadline": FAR, "batch_id": SMALL} | columns
    return [job_row(**({"id": UUID(int=offset + number)} | plain)) for number in range(1, FEW + 1)]


DISPATCHED: Final = 2**66
RUNNING: Final = 2**67
DUE: Final = 2**68
LATE: Final = 2**69
URGENT: Final = 2**70


def _add_few(connection: Connection) -> None:
    add_worker(connection, id=HOLDER)
    add_batch(connection, id=SMALL, total=5 * FEW)
    add_jobs(
        connection,
        *few(JobStatus.DISPATCHED, DISPATCHED, worker_id=HOLDER, dispatched_at=NOW),
        *few(JobStatus.RUNNING, RUNNING, worker_id=HOLDER, started_at=NOW, attempt=1, attempts_used=1),
        *few(JobStatus.SCHEDULED, DUE, not_before=NOW),
        *few(JobStatus.QUEUED, LATE, deadline=NOW),
        *few(JobStatus.QUEUED, URGENT, priority=1),
    )
    connection.execute(insert(TenantMonth).values(tenant="default", month=f"{NOW:%Y-%m}", spent=Decimal(0)))
    connection.execute(insert(Attempt), [attempt_row(batch_id=SMALL) for _ in range(FEW)])
    # The outbox has read all but a few events.
    newest = select(func.max(EventRow.id)).scalar_subquery()
    connection.execute(insert(Cursor).from_select(["name", "position"], select(literal(CURSOR), newest - FEW)))


def ids(offset: int) -> list[UUID]:
    """The ids of a few jobs."""
    return [UUID(int=offset + number) for number in range(1, FEW + 1)]
