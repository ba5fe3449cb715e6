"""What the inbox sends to the database, by its driver."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ttsq_client import Inbox
from ttsq_client.inbox import new_id


class Recorder:
    """A cursor that keeps statements."""

    def __init__(self) -> None:
        self.made = uuid4()
        self.sent: list[tuple[str, Any]] = []

    def execute(self, operation: str, parameters: Any) -> None:  # noqa: ANN401 - as PEP 249 has it
        """Keep a statement."""
        self.sent.append((operation, parameters))

    def fetchone(self) -> tuple[UUID]:
        """Return the function's result."""
        return (self.made,)


def of_driver(name: str) -> Recorder:
    """A cursor of a class that a driver could have."""
    found: type[Recorder] = type("Cursor", (Recorder,), {"__module__": name})
    return found()


@pytest.mark.parametrize("name", [psycopg.__name__, "psycopg.cursor"])
def test_postgresql_is_asked_by_the_function(name: str) -> None:
    """Its result is the id, and nothing else is touched: a producer's role may do no more."""
    cursor = of_driver(name)
    assert Inbox(cursor).submit("Good.", tags=("a",)) == cursor.made
    assert cursor.sent == [("SELECT ttsq_submit(%s::jsonb)", ('{"text": "Good.", "tags": ["a"]}',))]


def test_sqlite_gets_a_row() -> None:
    """By a connection or a cursor; a foreign driver may be named to be PostgreSQL's."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE inbox (number INTEGER PRIMARY KEY, id CHAR(32), request TEXT)")
        made = [Inbox(one).submit("Good.").hex for one in (database, database.cursor())]
        assert [row[0] for row in database.execute("SELECT id FROM inbox ORDER BY number")] == made
    cursor = of_driver("sqlite3")
    Inbox(cursor, postgresql=True).submit("Good.")
    assert cursor.sent[0][0] == "SELECT ttsq_submit(?::jsonb)"


def test_the_envelope_is_part_of_the_request() -> None:
    """Amounts and times are text; what is left out is not sent."""
    cursor = of_driver("psycopg")
    at = datetime(2026, 12, 1, 8, tzinfo=UTC)
    Inbox(cursor).submit("Good.", tenant="shop", batch="night", max_cost=Decimal("0.50"), not_before=at)
    assert json.loads(cursor.sent[0][1][0]) == {
        "text": "Good.",
        "not_before": "2026-12-01T08:00:00+00:00",
        "tenant": "shop",
        "batch": "night",
        "max_cost": "0.50",
    }


@pytest.mark.parametrize("given", [object(), 5, "cursor", None])
def test_what_is_no_connection_is_refused(given: Any) -> None:  # noqa: ANN401 - whatever is passed
    """Before a text is."""
    with pytest.raises(TypeError, match="PEP 249"):
        Inbox(given)


def test_what_the_database_would_refuse_is_refused_at_once() -> None:
    """A failed statement would end the caller's transaction."""
    cursor = of_driver("psycopg")
    with pytest.raises(ValueError, match="65,536"):
        Inbox(cursor).submit("a" * 70_000)
    with pytest.raises(ValueError, match="time zone"):
        Inbox(cursor).submit("Good.", not_before=datetime(2026, 12, 1))  # noqa: DTZ001 - what is refused
    assert cursor.sent == []


def test_ids_are_of_version_7_and_grow() -> None:
    """As the gateway's: pages of jobs are in their order."""
    ids = [new_id() for _ in range(200)]
    assert {one.version for one in ids} == {7}
    assert {one.variant for one in ids} == {"specified in RFC 4122"}
    moments = [one.int >> 80 for one in ids]
    assert moments == sorted(moments)
    assert len(set(ids)) == 200
