"""Workbooks: rows as a spreadsheet saves them, judged like those of a CSV; nothing unpacks without bound."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from api_models.problems import Fault
from worker.intake.kinds import Kind
from worker.intake.reader import read
from worker.intake.validation import Row
from worker.intake.xlsx import package

HEADER = ["custom_id", "text", "voice_1", "priority", "not_before", "tags"]


def workbook(*rows: Sequence[object]) -> io.BytesIO:
    """A workbook of these rows, with an empty sheet as spreadsheets like to add one."""
    made = Workbook()
    sheet = made.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    made.create_sheet("Sheet2")
    stream = io.BytesIO()
    made.save(stream)
    stream.seek(0)
    return stream


def judged(stream: io.BytesIO) -> tuple[list[Row], list[str]]:
    """The rows and the faults."""
    found = list(read(stream, kind=Kind.XLSX))
    return [one for one in found if isinstance(one, Row)], [str(one) for one in found if isinstance(one, Fault)]


def test_a_workbook_is_read_like_a_csv(tmp_path: Path) -> None:
    """Numbers, line breaks in cells, blank rows, empty cells and times in words; rows keep their numbers."""
    stream = workbook(
        HEADER,
        [17, 'Hello,\n"world".', "Kore", 5.0, None, "news; evening"],
        [None] * 6,
        [None, "No name.", None, None, "2026-12-01T08:00:00Z"],
    )
    path = tmp_path / "lines.xlsx"
    path.write_bytes(stream.getvalue())
    assert list(read(path)) == list(read(stream, kind=Kind.XLSX))
    rows, faults = judged(stream)
    assert faults == []
    assert [(row.line, row.request.custom_id, row.request.text) for row in rows] == [
        (2, "17", 'Hello,\n"world".'),
        (4, "0004", "No name."),
    ]
    assert (rows[0].request.priority, rows[0].request.tags) == (5, ("news", "evening"))
    assert rows[1].request.not_before == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_faults_name_the_rows_of_the_sheet() -> None:
    """A time without a zone, which is all a cell of a date can be; a voice that isn't; a name given twice."""
    _, faults = judged(
        workbook(HEADER, ["a", "Hi.", "Unknown"], ["a", "Hi.", None, None, datetime(2026, 12, 1)])  # noqa: DTZ001
    )
    assert [fault.partition(": ")[0] for fault in faults] == [
        "line 2, voice_1",
        "line 3, not_before",
        "line 3, custom_id",
    ]
    assert "has no time zone" in faults[1]


@pytest.mark.parametrize("content", [b"", b"text\nHello.\n", b"PK\x03\x04 and no more", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_workbook_is_one_fault(content: bytes) -> None:
    """Whatever its name says."""
    rows, faults = judged(io.BytesIO(content))
    assert rows == []
    assert len(faults) == 1
    assert "workbook" in faults[0]


def test_an_archive_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what its directory says, before anything is unpacked."""
    stream = workbook(HEADER, ["a", "Hi."])
    monkeypatch.setattr(package, "MAX_UNPACKED_BYTES", 1_000)
    assert judged(stream) == ([], ['is too large for a workbook; save the sheet as "CSV UTF-8"'])


def test_a_directory_that_lies_unpacks_no_more_than_it_says() -> None:
    """The bytes behind a size that is too small are never read."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 10_000_000)
    content = stream.getvalue().replace((10_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert len(judged(io.BytesIO(content))[1]) == 1
