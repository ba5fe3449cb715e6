"""Rows for the tables of any revision, written and read as the code of that revision does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Connection, Float, Integer, String, Table, Uuid, insert, inspect, select
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import NOW, Values, a_gate, attempt_row, job_row
from worker.store.tables.base import Base
from worker.store.types import Foreign, Instant, Money

BATCHES: Final = (UUID(int=1), UUID(int=2))
JOB: Final = UUID(int=3)
PAID: Final = Decimal("0.0067")


@dataclass(frozen=True, slots=True)
class Shape:
    """The tables of one revision, and their columns: all that its code knows of."""

    columns: dict[str, tuple[str, ...]]

    def tables(self) -> Iterator[tuple[Table, tuple[str, ...]]]:
        """Each table, those that others refer to first, with the names of its columns."""
        for table in Base.metadata.sorted_tables:
            if table.name in self.columns:
                yield table, self.columns[table.name]


def shape(connection: Connection) -> Shape:
    """The tables as they are now."""
    inspector = inspect(connection)
    names = set(inspector.get_table_names()) & set(Base.metadata.tables)
    return Shape({name: tuple(column["name"] for column in inspector.get_columns(name)) for name in sorted(names)})


def rows_of(table: str) -> list[Values]:
    """Rows for a table, whole for the newest revision."""
    made = _ROWS.get(table)
    return made() if made else [_plain(Base.metadata.tables[table])]


def _jobs() -> list[Values]:
    worker = {"worker_id": uuid7()}
    return [
        job_row(id=JOB if status is JobStatus.SUCCEEDED else uuid7(), status=status, batch_id=BATCHES[0], **worker)
        for status in JobStatus
    ]


def _attempts() -> list[Values]:
    noted = {"batch_id": BATCHES[0], "cost": PAID, "noted": True}
    news = attempt_row(batch_id=BATCHES[0], cost=PAID, noted=False)
    return [attempt_row(**noted), attempt_row(**noted, number=2), news, attempt_row(verdict=VerdictKind.LOST)]


def _gates() -> list[Values]:
    gate = a_gate()
    return [{name: getattr(gate, name) for name in gate.__slots__} | {"closed": True}]


_ROWS: Final[dict[str, Callable[[], list[Values]]]] = {
    "batches": lambda: [
        {
            "id": batch,
            "tenant": "default",
            "name": "welcome.csv",
            "resume_key": str(batch),
            "total": 8,
            "created_at": NOW,
        }
        for batch in BATCHES
    ],
    "jobs": _jobs,
    "documents": lambda: [{"job_id": JOB, "plan": "{}", "style": "{}"}],
    "attempts": _attempts,
    "gates": _gates,
}
_SAMPLES: Final = (
    (Instant, NOW),
    (Money, PAID),
    (Uuid, UUID(int=9)),
    (Boolean, True),
    (Integer, 7),
    (Float, 1.5),
    (String, "word"),
    (Foreign, "word"),
)
"""A value of each column type, the special ones before those that they are made of."""
_WORDS: Final[dict[str, Values]] = {
    "deliveries": {"state": "pending"},
    "schedule_runs": {"state": "due"},
    "operations": {"state": "ready", "action": "retry"},
}
"""Of columns that take no other words."""


def _plain(table: Table) -> Values:
    """Something in every column that must not be empty."""
    plain = {
        column.name: next(value for kind, value in _SAMPLES if isinstance(column.type, kind))
        for column in table.columns
        if not column.nullable and column.server_default is None
    }
    of_jobs = {
        column.name: JOB
        for column in table.columns
        if any(key.column.table.name == "jobs" for key in column.foreign_keys)
    }
    return plain | {name: job for name, job in of_jobs.items() if name in plain} | _WORDS.get(table.name, {})


def fill(connection: Connection, known: Shape) -> None:
    """Rows in every table, written as the code of that revision writes them: with the columns that it knows."""
    for table, columns in known.tables():
        rows = [{name: row.get(name) for name in columns if name in row} for row in rows_of(table.name)]
        for row in rows:
            connection.execute(insert(table).values(row))


def content(connection: Connection, known: Shape) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as the code of that revision reads it."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, columns in known.tables():
        rows = connection.execute(select(*(table.c[name] for name in columns)))
        found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return found
