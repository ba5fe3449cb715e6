"""Rows in bulk: on either database they read back exactly as ordinary INSERTs would have left them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, insert, select
from sqlalchemy.exc import IntegrityError

from api_models.speech import JobRequest
from worker.producer import job_row
from worker.store.database import Database
from worker.store.tables.jobs import Job
from worker.store.writing import bulk

JOBS = cast("Table", Job.__table__)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MANY = bulk.FEW_ROWS * 3

NASTY = "tab\there, \\N and \\. \\\\ back\\slashes\r\nand\nlines, \"quotes\", 'these', ünïcödé 語 🎙 \x01\x7f\u2028"


def rows(count: int, **changes: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - columns of any type
    """Rows of new jobs, each a little different from the last."""
    for number in range(count):
        request = JobRequest(text=f"{NASTY} {number}", temperature=number % 20 / 10 if number % 3 else None)
        row = job_row(request, tenant="tenant", batch_id=None, line=number, origin="o", now=NOW)
        yield {**row, "cost": Decimal(number) / 1000, "not_before": NOW + timedelta(seconds=number), **changes}


def stored(database: Database) -> dict[UUID, dict[str, Any]]:
    """Every job as it reads back."""
    with database.read() as connection:
        return {row["id"]: dict(row) for row in connection.execute(select(JOBS)).mappings()}


def test_rows_in_bulk_read_back_as_rows_one_by_one(database: Database) -> None:
    """Texts with everything that a bulk format could stumble over, empty columns, money, times and truth values."""
    sent = list(rows(MANY))
    with database.begin() as connection:
        assert bulk.insert_many(connection, JOBS, iter(sent)) == MANY
    in_bulk = stored(database)
    with database.begin() as connection:
        connection.execute(JOBS.delete())
        connection.execute(insert(JOBS), sent)
    assert in_bulk == stored(database)
    assert {row["text"] for row in in_bulk.values()} == {row["text"] for row in sent}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1))
def test_any_text_survives(database: Database, texts: list[str]) -> None:
    """Whatever a file may hold: no character means anything to the way it travels."""
    sent = [{**row, "text": texts[index % len(texts)]} for index, row in enumerate(rows(MANY))]
    with database.begin() as connection:
        connection.execute(JOBS.delete())
        bulk.insert_many(connection, JOBS, sent)
    assert {key: row["text"] for key, row in stored(database).items()} == {row["id"]: row["text"] for row in sent}


@pytest.mark.parametrize("count", [0, 1, bulk.FEW_ROWS, bulk.FEW_ROWS + 1, bulk.ROWS_PER_BLOCK + 1])
def test_every_row_arrives_at_the_seams(database: Database, count: int) -> None:
    """None, few, and one more than a piece."""
    with database.begin() as connection:
        assert bulk.insert_many(connection, JOBS, rows(count)) == count
    assert len(stored(database)) == count


def test_a_row_that_breaks_a_constraint_undoes_all_and_shows_no_text(database: Database) -> None:
    """The error is SQLAlchemy's, the transaction leaves nothing, and the message contains no text."""
    with pytest.raises(IntegrityError) as caught, database.begin() as connection:
        bulk.insert_many(connection, JOBS, rows(MANY, status="nonsense"))
    assert "ünïcödé" not in str(caught.value).split("CONTEXT")[0]
    assert stored(database) == {}
