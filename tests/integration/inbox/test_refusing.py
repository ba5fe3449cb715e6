"""Rows that can't become jobs: refused with an event and the reason, and never in the way of others."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api_models.inbox import MAX_REQUEST_CHARACTERS
from tests.inbox_harness import Office
from worker.maintenance import inbox as inbox_task
from worker.store.database import Database

GOOD: Final = {"text": "Still spoken."}
BOTH: Final[dict[str, Any]] = {
    "an array": [1, 2],
    "a string": json.dumps("text"),
    "a number": "5",
    "null": "null",
    "no text": {},
    "blank": {"text": "  "},
    "only marks": {"text": "…!"},
    "text of a wrong type": {"text": 5},
    "text in a list": {"text": ["Hello."]},
    "unknown field": {**GOOD, "speed": 2},
    "misspelt field": {**GOOD, "voise_1": "Kore"},
    "five hundred fields": {**GOOD, **{f"field_{number}": number for number in range(500)}},
    "unknown voice": {**GOOD, "voice_1": "Kroe"},
    "unknown model": {**GOOD, "model": "gpt"},
    "priority beyond": {**GOOD, "priority": 10**30},
    "variant of many digits": {**GOOD, "variant": 10**300},
    "expires_after beyond": {**GOOD, "expires_after": 10**18},
    "max_cost without a batch": {**GOOD, "max_cost": "1"},
    "max_cost beyond": {**GOOD, "batch": "b", "max_cost": "1e30"},
    "max_cost no number": {**GOOD, "batch": "b", "max_cost": "NaN"},
    "tenant of a wrong type": {**GOOD, "tenant": 5},
    "tenant too long": {**GOOD, "tenant": "t" * 65},
    "tenant empty": {**GOOD, "tenant": ""},
    "tenant with a line break": {**GOOD, "tenant": "a\nb"},
    "key too long": {**GOOD, "idempotency_key": "k" * 256},
    "key of a wrong type": {**GOOD, "idempotency_key": {"a": 1}},
    "batch with control characters": {**GOOD, "batch": "a\x1bb"},
    "batch too long": {**GOOD, "batch": "b" * 201},
    "callback to this machine": {**GOOD, "callback_url": "https://localhost/x"},
    "webhook to this machine": {**GOOD, "webhook_url": "https://127.0.0.1/x"},
    "two receivers": {**GOOD, "webhook_url": "https://a.example/x", "callback_url": "https://a.example/y"},
    "callback that is no address": {**GOOD, "callback_url": "ftp://host/x"},
    "custom_id of two folders": {**GOOD, "custom_id": "../x"},
    "deep": '{"text": "Hi.", "tags": ' + "[" * 900 + "]" * 900 + "}",
    "many brackets": '{"text": "Hi.", "tags": [' + ",".join(["[]"] * 2_000) + "]}",
    "too long a text": {"text": "x" * 5_000},
    "a date without its zone": {**GOOD, "not_before": "2026-12-01T08:00:00"},
    "a date beyond the calendar": {**GOOD, "not_before": "99999-12-01T08:00:00Z"},
}
"""What PostgreSQL's `jsonb` holds as well."""
ON_SQLITE: Final[dict[str, dict[str, Any]]] = {
    "no JSON": {"request": "text=Hello"},
    "empty": {"request": ""},
    "cut off": {"request": '{"text": "Hel'},
    "not a number": {"request": '{"text": "Hi.", "temperature": NaN}'},
    "infinite": {"request": '{"text": "Hi.", "temperature": 1e999}'},
    "a number of 5,000 digits": {"request": '{"text": "Hi.", "priority": ' + "9" * 5_000 + "}"},
    "a key twice": {"request": '{"text": "Hi.", "text": "Ho."}'},
    "deeper than Python parses": {"request": "[" * 60_000},
    "NUL in the text": {"request": '{"text": "a\\u0000b"}'},
    "NUL in the key": {"request": '{"text": "Hi.", "idempotency_key": "a\\u0000b"}'},
    "half a surrogate pair": {"request": '{"text": "Hi \\ud800."}'},
    "half a surrogate pair in the tenant": {"request": '{"text": "Hi.", "tenant": "\\ud800"}'},
    "half a surrogate pair in an unknown field": {"request": '{"text": "Hi.", "\\ud800": 1}'},
    "bytes that are no UTF-8": {"request": b'{"text": "\xff\xfe"}'},
    "a NUL byte": {"request": b'{"text": "Hi."}\x00' + b" " * 100},
    "a huge value behind a NUL byte": {"request": "{\x00" + " " * 1_000_000},
    "a number instead of text": {"request": 5},
    "an id that is none": {"request": json.dumps(GOOD), "id": "seventeen"},
    "an id of bytes": {"request": json.dumps(GOOD), "id": b"\xff" * 16},
    "an id that is a number": {"request": json.dumps(GOOD), "id": 17},
    "the nil id": {"request": json.dumps(GOOD), "id": "0" * 32},
    "a tenant that is no UTF-8": {"request": json.dumps(GOOD), "tenant": b"\xff"},
}
"""What only a file that any program writes can hold."""


@pytest.fixture
def office(database: Database) -> Office:
    """An empty inbox, once on each kind of database."""
    return Office(database)


def assert_refused(office: Office) -> None:
    """The first row is refused with its reason and an event, the one behind it is a job."""
    first, second = office.rows()
    assert first.job_id is None
    assert first.faults is not None
    assert (second.faults, second.job_id) == (None, office.jobs()[0].id)
    assert len(office.jobs()) == 1
    (event,) = office.refusals()
    assert event.data["faults"] == json.loads(first.faults)
    assert all(1 < len(fault) <= 600 for fault in event.data["faults"]), event.data


@pytest.mark.parametrize("kind", BOTH)
def test_a_faulty_request_is_refused_and_the_next_one_spoken(office: Office, kind: str) -> None:
    """Whatever is wrong with it: one event, with the field and the remedy."""
    office.put(BOTH[kind])
    office.put(GOOD)
    office.work()
    assert_refused(office)


@pytest.mark.parametrize("kind", ON_SQLITE)
def test_any_value_in_a_file_is_refused_and_the_next_one_spoken(on_sqlite: Database, kind: str) -> None:
    """Columns of SQLite have no types: no value stops the reader."""
    office = Office(on_sqlite)
    office.put_raw(**ON_SQLITE[kind])
    office.put(GOOD)
    office.work()
    assert_refused(office)


def test_the_reasons_name_the_fields(office: Office) -> None:
    """As the API's do, with suggestions."""
    office.put({"text": "Hi.", "voise_1": "Kore"}, {"text": "Hi.", "voice_1": "Kroe"}, {"text": "Hi.", "priority": 101})
    office.work()
    found = office.faults()
    assert 'voise_1: is not a known field; did you mean "voice_1"?' in found[0]
    assert 'voice_1: no voice "Kroe"; did you mean "Kore"?' in found[1]
    assert "priority: must be at most 100" in found[2]


def test_an_oversized_request_fails_in_the_producers_own_transaction(office: Office) -> None:
    """By the function or the table's constraint: it never reaches the leader."""
    with pytest.raises(DBAPIError) as refused:
        office.put({"text": "x" * MAX_REQUEST_CHARACTERS})
    assert "65536" in str(refused.value) or "ck_inbox_size" in str(refused.value)
    office.put(GOOD)
    office.work()
    assert [row.faults for row in office.rows()] == [None]


def test_an_id_in_use_is_refused(on_sqlite: Database) -> None:
    """Of a job that exists, and of another row of the same page."""
    office = Office(on_sqlite)
    known = "0192f3a45b6c7d8e9f0123456789abcd"
    office.put_raw(id=known, request=json.dumps(GOOD))
    office.put_raw(id=known, request=json.dumps(GOOD))
    office.work()
    office.put_raw(id=known, request=json.dumps(GOOD))
    office.work()
    assert [fault.partition(":")[0] for fault in office.faults()] == ["id", "id"]
    assert len(office.jobs()) == 1


def test_a_flood_of_faulty_rows_delays_no_valid_one(office: Office) -> None:
    """One valid request is behind 10,000 faulty ones, and one before them: both are jobs after the first page."""
    office.put({"text": "Before."})
    with office.database.begin() as connection:
        faulty = json.dumps({"text": "Hello.", "voice_1": "Kroe", "voise_2": "Puck", "priority": 1_000})
        statement = (
            "INSERT INTO inbox (request)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
            " SELECT CAST(:request AS text) FROM n"
        )
        connection.execute(text(statement), {"request": faulty})
    office.put({"text": "Behind."})
    assert office.reader.run_once() is True
    assert len(office.jobs()) == 2
    waiting = sum(row.handled_at is None for row in office.rows())
    assert waiting >= 10_000 - inbox_task.OLDEST - inbox_task.NEWEST


def test_a_key_that_another_transaction_holds_delays_its_own_row_only(on_postgresql: Database) -> None:
    """A Python producer that is slow to commit: the others are spoken now, this row when that transaction ends."""
    office = Office(on_postgresql)
    other = Database(on_postgresql.url.render_as_string(hide_password=False), connections=1)
    with closing(other):
        with other.begin() as slow:
            slow.execute(
                text(
                    "INSERT INTO idempotency_keys (tenant, key, body_hash, created_at)"
                    " VALUES ('default', 'k', 'x', now())"
                )
            )
            office.put({"text": "One."}, {"text": "Two.", "idempotency_key": "k"}, {"text": "Three."})
            office.work()
            assert len(office.jobs()) == 2
            slow.rollback()
        office.reader.clock = lambda: float("inf")
        office.work()
    assert len(office.jobs()) == 3
    assert office.faults() == []


def test_what_an_error_of_one_row_does_to_the_others(on_postgresql: Database) -> None:
    """A row that the database itself refuses is found by halves, and is the only one that is refused."""
    office = Office(on_postgresql)
    with on_postgresql.begin() as connection:
        connection.execute(text("ALTER TABLE jobs ADD CONSTRAINT no_seven CHECK (text <> 'Number 7.')"))
    office.put(*({"text": f"Number {number}."} for number in range(20)))
    office.work()
    assert len(office.jobs()) == 19
    (fault,) = office.faults()
    assert "no_seven" in fault


def test_old_rows_are_forgotten(office: Office) -> None:
    """Jobs' rows after two days, refused ones after thirty, or as soon as their text expires."""
    office.put({"text": "One."}, {"text": ""})
    office.work()
    ages = {1: 2, 3: 1, 31: 0}
    for days, left in ages.items():
        with office.database.begin() as connection:
            at = office.database.now(connection) - timedelta(days=days)
            connection.execute(inbox_task.inbox.InboxRow.__table__.update().values(handled_at=at))  # type: ignore[attr-defined]
        office.another().run_once()
        assert len(office.rows()) == left


def test_a_refused_text_is_not_kept_beyond_the_retention(office: Office) -> None:
    """TTSQ_EXPIRES_AFTER holds for refused requests as for jobs."""
    office.options["TTSQ_EXPIRES_AFTER"] = "1h"
    office.put({"text": ""})
    office.work()
    with office.database.begin() as connection:
        at = office.database.now(connection) - timedelta(hours=2)
        connection.execute(inbox_task.inbox.InboxRow.__table__.update().values(handled_at=at))  # type: ignore[attr-defined]
    office.another().run_once()
    assert office.rows() == []
