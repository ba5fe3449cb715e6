"""Bytes that are not UTF-8 are found, placed and named; nothing is guessed."""

from __future__ import annotations

import codecs
import io

import pytest

from api_models.problems import InvalidInputError
from tests.unit.intake_outcomes import faults_of, texts_of
from worker.intake.encoding import MAX_LINE_CHARACTERS
from worker.intake.kinds import Kind
from worker.intake.reader import read_all
from worker.intake.sheet_options import SheetOptions

CELL = 'text\n"Grüße, 語"\n'
UTF_16 = "is encoded as UTF-16 without a byte order mark; save it as UTF-8, or use --encoding utf-16-"


def test_a_byte_order_mark_is_tolerated() -> None:
    """Excel writes one before UTF-8."""
    assert texts_of(codecs.BOM_UTF8 + b"text\nHello.\n") == {2: "Hello."}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text\nHello.\n".encode("utf-16-le"), f"{UTF_16}le"),
        ("text\nHello.\n".encode("utf-16-be"), f"{UTF_16}be"),
        ("text\nHello.\n".encode("utf-32"), "is encoded as UTF-32; save it as UTF-8"),
        (b"PK\x03\x04rest", 'is a workbook or another zip archive; name it .xlsx, or save the sheet as "CSV UTF-8"'),
        (b"\x1f\x8b\x08rest", "is compressed with gzip; unpack it first"),
        (b"%PDF-1.7", "is a PDF document; save its text as a .txt file"),
    ],
)
def test_a_foreign_file_is_named_once(content: bytes, expected: str) -> None:
    """What it is and how to mend it, instead of a fault a line."""
    assert faults_of(content, Kind.CSV) == [expected]


@pytest.mark.parametrize(("mark", "offset"), [(b"", 0), (codecs.BOM_UTF8, 3)])
def test_the_first_wrong_byte_is_placed(mark: bytes, offset: int) -> None:
    """Its line, its place in the line and in the file, and what it would have been on an older Windows."""
    content = mark + "text\nschön\n".encode() + "schön".encode("cp1252") + b"\n"
    assert faults_of(content, Kind.CSV) == [
        (
            f'line 3: byte 4 of the line, {16 + offset} of the file, is 0xF6 ("ö" in Windows-1252), '
            "which is not UTF-8; save the file as UTF-8, or use --encoding cp1252"
        )
    ]


def test_lines_with_the_same_fault_are_counted() -> None:
    """One wrongly saved file doesn't drown the other faults."""
    content = "text,voice_1\né,Kore\nè,Bob\nfine,Kore\nà,Kore\n".encode("latin-1")
    assert faults_of(content, Kind.CSV) == [
        (
            'line 2: byte 1 of the line, 14 of the file, is 0xE9 ("é" in Windows-1252), which is not UTF-8; '
            "save the file as UTF-8, or use --encoding cp1252 (or cp1250: see which reads well)"
        ),
        'line 3, voice_1: no voice "Bob" (`ttsq voices` lists all 30)',
        "line 3: is not UTF-8 either; 3 lines of the file are not",
    ]


def test_a_wrong_byte_inside_a_cell_of_several_lines() -> None:
    """The line of the byte is named, not that of the row."""
    (fault,) = faults_of(b'text\n"One\nTwo \xff"\nThree\n', Kind.CSV)
    assert fault.startswith('line 3: byte 5 of the line, 15 of the file, is 0xFF ("ÿ" in Windows-1252)')


def test_a_surrogate_in_utf_8_is_no_character() -> None:
    """The three bytes of a surrogate are never valid UTF-8."""
    (fault,) = faults_of(b"\xed\xa0\xbd\n", Kind.PLAIN)
    assert fault.startswith("line 1: byte 1 of the line, 1 of the file, is 0xED")


@pytest.mark.parametrize("length", [MAX_LINE_CHARACTERS - 1, MAX_LINE_CHARACTERS, 2 * MAX_LINE_CHARACTERS + 1])
def test_places_behind_a_long_line_are_right(length: int) -> None:
    """The line is passed over to its end and no further, and counted in the file's bytes."""
    found = faults_of(b"x" * length + b"\n\xff\n", Kind.PLAIN)
    assert found[0] == "line 1: is longer than 1,048,576 characters; is a line break missing?"
    assert found[1].startswith(f"line 2: byte 1 of the line, {length + 2:,} of the file, is 0xFF")


@pytest.mark.parametrize("kind", [Kind.CSV, Kind.JSONL, Kind.PLAIN])
def test_a_line_beyond_all_measure_is_passed_over(kind: Kind) -> None:
    """It is a fault by its length alone; the lines behind it keep their numbers."""
    head = "text\n" if kind is Kind.CSV else '{"text": "a"}\n'
    content = head + "x" * (2 * MAX_LINE_CHARACTERS + 1) + "\n" + '{"text": ""\n' + "…\n"
    found = faults_of(content, kind)
    assert found[0] == "line 2: is longer than 1,048,576 characters; is a line break missing?"
    assert all(fault.startswith(("line 3", "line 4")) for fault in found[1:])
    assert found[-1].startswith("line 4")


@pytest.mark.parametrize("content", [CELL.encode("utf-16"), codecs.BOM_UTF16_BE + CELL.encode("utf-16-be")])
def test_utf_16_with_its_mark_is_read(content: bytes) -> None:
    """As Excel saves "Unicode text"."""
    assert texts_of(content, Kind.CSV) == {2: "Grüße, 語"}


@pytest.mark.parametrize("encoding", ["cp1252", "windows-1252", "ANSI", "latin-1"])
def test_an_encoding_that_is_named_is_read(encoding: str) -> None:
    """Under the names that people know it by; texts come out as they were typed."""
    rows = read_all(io.BytesIO("text\nschön – “so”\n".encode("cp1252")), kind=Kind.CSV, options=named("cp1252"))
    assert [row.request.text for row in rows] == ["schön – “so”"]
    rows = read_all(io.BytesIO("text\nschön\n".encode("cp1252")), kind=Kind.CSV, options=named(encoding))
    assert [row.request.text for row in rows] == ["schön"]


def test_a_wrong_encoding_is_reported() -> None:
    """Also one that there isn't, and one that is no encoding of text."""
    with pytest.raises(InvalidInputError, match=r"is not cp1252 from about line 1 on"):
        read_all(io.BytesIO(b"text\n\x81\n"), kind=Kind.CSV, options=named("cp1252"))
    for wrong in ("cp1253x", "rot13", "base64", "\x00"):
        with pytest.raises(InvalidInputError, match=r"--encoding: no encoding "):
            read_all(io.BytesIO(b"text\na\n"), kind=Kind.CSV, options=named(wrong))


def named(encoding: str) -> SheetOptions:
    return SheetOptions(encoding=encoding)
