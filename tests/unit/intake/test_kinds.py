"""Which kind of input it is: by the name of a file, or by the first line of a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_models.problems import Fault
from tests.unit.intake_outcomes import texts_of
from worker.intake.kinds import Kind, by_name, sniff

KNOWN = ".csv, .tsv, .jsonl, .ndjson, .json, .txt, .xlsx, .xlsm, .tab, .ods, .srt, .vtt"
CHOICE = "name its format, such as --input-format text for one text a line"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", Kind.CSV),
        ("a.b.CSV", Kind.CSV),
        ("a.tsv", Kind.TSV),
        ("a.jsonl", Kind.JSONL),
        ("a.ndjson", Kind.JSONL),
        ("a.ods", Kind.ODS),
        ("a.SRT", Kind.SUBTITLES),
        ("a.vtt", Kind.SUBTITLES),
        ("a.txt", Kind.PLAIN),
    ],
)
def test_an_extension_determines_the_kind(name: str, kind: Kind) -> None:
    """Upper case is no matter."""
    assert by_name(Path(name)) is kind


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xls", "is a workbook of an old Excel; save it as .xlsx"),
        ("a.fods", "is a spreadsheet of LibreOffice; save it as .xlsx, or as CSV"),
        ("a.cvs", f'the extension .cvs is not known; did you mean ".csv"? (known: {KNOWN}); {CHOICE}'),
        ("a.SBV", "holds subtitles; save them as .srt or .vtt"),
        (
            "a.md",
            (
                "would be read aloud with its markup; save its texts as .txt, one a line,"
                " or read every line as it stands: --input-format text"
            ),
        ),
        ("texts", f"has no extension to tell its format by; {CHOICE} (known extensions: {KNOWN})"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    """Guessing could speak the columns of a sheet aloud."""
    assert by_name(Path(name)) == Fault(message=message)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b'{"text": "a"}\n', Kind.JSONL),
        (b'\n \n  {"text": "a"}\n', Kind.JSONL),
        (b'\xef\xbb\xbf{"text": "a"}\n', Kind.JSONL),
        (b"text\nhello\n", Kind.CSV),
        (b"custom_id,text\n", Kind.CSV),
        (b"text;voice_1\r\n", Kind.CSV),
        (b"text,notes\r\n", Kind.CSV),
        (b'"text","voice_1"\n', Kind.CSV),
        (b"text,voice_1\rhello,Kore\r", Kind.CSV),
        (b"text\tvoice_1\n", Kind.TSV),
        (b"\xef\xbb\xbftext,voice_1\n", Kind.CSV),
        (b"Hello there.\n", Kind.PLAIN),
        (b"Hello, text, world\n", Kind.PLAIN),
        (b"The text of it\n", Kind.PLAIN),
        (b"[whispers] Hello.\n", Kind.PLAIN),
        (b"", Kind.PLAIN),
        (b"\xff\xfe\x00", Kind.PLAIN),
    ],
)
def test_a_first_line_determines_the_kind(head: bytes, kind: Kind) -> None:
    """An object, a header made of known columns, or else plain text."""
    assert sniff(head) is kind


def test_plain_text_is_one_job_a_line() -> None:
    """Blank lines are skipped and counted, blanks around a line are dropped."""
    assert texts_of('One.\n\n  \n  Two. \r\nThree, "four".', Kind.PLAIN) == {1: "One.", 4: "Two.", 5: 'Three, "four".'}
