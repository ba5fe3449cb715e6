"""A batch of a sheet, written by the column, and the same batch written row by row: they read back as one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from api_models.formats import AudioFormat
from api_models.speech import JobRequest
from worker.intake.spool import ROWS_IN_MEMORY, Spool
from worker.intake.validation import Row
from worker.producer import submit_batch
from worker.store.database import Database
from worker.store.tables.jobs import Batch, Job
from worker.store.writing.bulk import FEW_ROWS, ROWS_PER_STATEMENT

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NASTY = "tab\there, \\N and \\. \\\\ back\\slashes\r\nand\nlines, \"quotes\", 'these', ünïcödé 語 🎙 \x01\x7f\u2028"
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 0.0},
    {"temperature": -0.0},
    {"voice_1": "Kore", "temperature": 0.7, "priority": 3},
    {"temperature": -0.0, "variant": 2, "cache": "bypass"},
    {"temperature": 0.0, "not_before": datetime(2027, 1, 1, tzinfo=UTC), "deadline": datetime(2027, 1, 2, tzinfo=UTC)},
    {"tags": ("a", "b"), "format": AudioFormat.MP3, "loudness": -16.0, "expires_after": 60},
)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1)


def rows(texts: Sequence[str], count: int) -> list[Row]:
    """Rows of every kind of value, as many as asked for."""
    extras = (None, '{"Notes":"Grüße, \\"语\\"\\t\\n"}', '{"Notes":""}')
    return [Row(number, _request(number, texts), extras[number // 7 % 3]) for number in range(1, count + 1)]


def _request(number: int, texts: Sequence[str]) -> JobRequest:
    sound = JobRequest(text="a", custom_id=f"row-{number}", **KINDS[number % len(KINDS)])
    return sound.model_copy(update={"text": texts[number % len(texts)]})  # whether or not it can be spoken


def spooled(found: Sequence[Row]) -> Spool:
    """The same, as a sheet brings them."""
    spool = Spool()
    for row in found:
        spool.put(row)
    return spool


def submitted(database: Database, found: Sequence[Row] | Spool, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as for a batch
    """The rows after submission, in the order of the ids and without the columns that always differ."""
    with database.begin() as connection:
        connection.execute(delete(Job))
        connection.execute(delete(Batch))
        submit_batch(connection, found, name="a", origin="o", output_url=None, now=NOW, **options)
    with database.read() as connection:
        stored = connection.execute(select(Job.__table__).order_by(Job.id)).mappings().all()
    new = {"id", "batch_id", "lane"}
    assert len({row["id"] for row in stored}) == len(stored)
    assert {row["lane"] for row in stored} == {row["batch_id"] for row in stored}
    return [{column: value for column, value in row.items() if column not in new} for row in stored]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
def test_any_text_is_written_alike(database: Database, texts: list[str]) -> None:
    """Whatever it holds; its fingerprint, and the order of the ids, are the same too."""
    found = rows([*texts, NASTY], 3 * FEW_ROWS)
    assert submitted(database, spooled(found)) == submitted(database, found)


@pytest.mark.parametrize("count", [1, FEW_ROWS, FEW_ROWS + 1, 2 * ROWS_PER_STATEMENT, ROWS_IN_MEMORY + 7])
def test_every_row_is_written_at_the_seams(database: Database, count: int) -> None:
    """In the order of the sheet, whether they are few, many, or were kept in a file."""
    found = rows(["Hello.", NASTY], count)
    stored = submitted(database, spooled(found))
    assert [(row["line"], row["text"], row["fingerprint"]) for row in stored] == [
        (row.line, row.request.text, row.request.fingerprint(origin="o", audio_format=row.request.form))
        for row in found
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"tenant": "other"},
        {"tenant": "other", "shared": True},
        {"resume": False},
        {"resume": False, "use_cache": True},
        {"kept_seconds": 3_600},
    ],
)
def test_what_is_asked_of_the_batch_holds_for_its_jobs(database: Database, options: dict[str, Any]) -> None:
    """As it does row by row."""
    found = rows(["Hello.", "Bye."], 2 * FEW_ROWS)
    assert submitted(database, spooled(found), **options) == submitted(database, found, **options)


def test_a_row_that_breaks_a_constraint_leaves_nothing_and_shows_no_text(database: Database) -> None:
    """Of the whole batch, also where the row is its last."""
    found = [*rows([NASTY], 300), Row(301, rows([NASTY], 7)[-1].request)]
    with pytest.raises(IntegrityError) as caught:
        submitted(database, spooled(found))
    assert "ünïcödé" not in str(caught.value).split("CONTEXT")[0]
    with database.read() as connection:
        assert connection.execute(select(Job.id)).first() is None
        assert connection.execute(select(Batch.id)).first() is None
