"""Stored rows that are read again, and names that are only marked: the result is the same for few and many."""

from __future__ import annotations

import gc
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.formats import AudioFormat
from api_models.speech import JobRequest
from worker.intake.name_index import FIRST_SLOTS, NameIndex
from worker.intake.spool import MAX_KINDS, ROWS_IN_MEMORY, ROWS_PER_BLOCK, Spool, contents
from worker.intake.validation import Row


def test_rows_that_all_differ_come_back_too() -> None:
    """Beyond a limited number of row kinds, each row is written out whole."""
    begin = datetime(2026, 12, 1, 8, tzinfo=UTC)
    kept = [
        Row(n, JobRequest(text="Hello.", custom_id=f"{n}", not_before=begin + timedelta(seconds=n), tags=("a",)))
        for n in range(ROWS_IN_MEMORY + ROWS_PER_BLOCK)
    ]
    assert len(kept) > 2 * MAX_KINDS
    spool = Spool()
    for row in kept:
        spool.put(row)
    assert list(spool) == kept


def rows(count: int) -> list[Row]:
    """Rows of every kind of value."""
    moment = datetime(2026, 12, 1, 8, tzinfo=UTC)
    special = {"temperature": 0.7, "not_before": moment, "tags": ("a", "b"), "format": AudioFormat.MP3, "priority": 3}
    return [
        Row(
            n,
            JobRequest(text=f"Grüße {n}.", custom_id=f"{n}", **(special if n % 3 == 0 else {})),
            f'{{"Notes":"{n}"}}' if n % 5 == 0 else None,
        )
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [0, 1, ROWS_IN_MEMORY - 1, ROWS_IN_MEMORY, ROWS_IN_MEMORY + ROWS_PER_BLOCK + 7])
def test_rows_come_back_as_they_were_as_often_as_asked(count: int) -> None:
    """In memory, at the seam, and from the file; two readers at once don't disturb each other."""
    kept, spool = rows(count), Spool()
    for row in kept:
        spool.put(row)
    assert len(spool) == count
    assert spool.contents == contents(kept)
    assert bool(spool) is (count > 0)
    assert list(spool) == kept
    assert all(one == other == row for one, other, row in zip(spool, spool, kept, strict=True))
    assert [row.request.model_dump_json() for row in list(spool)[-9:]] == [
        row.request.model_dump_json() for row in kept[-9:]
    ]
    assert all(row in spool for row in kept[:1])


def test_the_file_goes_with_the_spool() -> None:
    """Nothing is left open."""
    spool = Spool()
    for row in rows(ROWS_IN_MEMORY):
        spool.put(row)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del spool
        gc.collect()


@given(names=st.lists(st.text(max_size=6)))
def test_a_mark_holds_the_first_line_of_a_name(names: list[str]) -> None:
    """As a dictionary would."""
    marks, known = NameIndex(), dict[str, int]()
    for line, name in enumerate(names, 1):
        assert marks.line_of(name) == known.get(name)
        assert marks.put(name, line) == known.get(name)
        known.setdefault(name, line)


def test_marks_grow() -> None:
    """Far more names than there was room for at first are all found again."""
    marks, many = NameIndex(), 4 * FIRST_SLOTS
    assert [marks.put(f"name {n}", n) for n in range(1, many)] == [None] * (many - 1)
    assert [marks.line_of(f"name {n}") for n in range(1, many + 1)] == [*range(1, many), None]
