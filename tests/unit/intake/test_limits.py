"""What bounds the work that a bad sheet makes, and what is said of texts that aren't words."""

from __future__ import annotations

import io

import pytest

from tests.unit.intake_outcomes import faults_of, names_of
from worker.intake.header import MAX_COLUMNS
from worker.intake.kinds import Kind
from worker.intake.reader import MAX_FAULTS, judge_all, read
from worker.intake.unspoken import Markup, markup, unspoken


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kind.JSONL, b"y\n" * 100_000),
        (Kind.CSV, b"text,voice_1\n" + b"a,Unknown\n" * 100_000),
        (Kind.PLAIN, b"#N/A\n" * 100_000),
        (Kind.TSV, b"text\tvoice_1\n" + b"a\n" * 100_000),
        (Kind.JSON, b"[" + b"7," * 100_000 + b"7]"),
    ],
)
def test_a_thousand_errors_end_the_reading(kind: Kind, content: bytes) -> None:
    """The last error says so. Rows that are to be skipped are read to the end."""
    found = list(read(io.BytesIO(content), kind=kind))
    assert len(found) == MAX_FAULTS + 1
    assert "reading stopped here after 1,000 errors" in str(found[-1])


def test_an_input_whose_faulty_rows_are_skipped_is_read_to_its_end() -> None:
    """However many they are."""
    content = b"text\n" + b"#N/A\n" * 1_500 + b"Hello.\n"
    judged = judge_all(io.BytesIO(content), kind=Kind.CSV, skips=True)
    assert (judged.total_faults, judged.whole, len(judged.rows)) == (1_500, False, 1)


def test_a_header_of_thousands_of_columns_is_one_error() -> None:
    """None of them is compared with the known ones."""
    header = ",".join(f"colunm_{number}" for number in range(50_000))
    assert faults_of(f"text,{header}\na\n", Kind.CSV) == [
        (
            f"line 1: there are 50,001 columns, more than the {MAX_COLUMNS:,} that a sheet may have; "
            "remove those that hold no texts"
        )
    ]


def test_only_the_first_unknown_keys_get_a_suggestion() -> None:
    """Each takes a comparison with every known one: of a line's keys, and of lines whose keys all differ."""
    keys = ", ".join(f'"voice_l{number}": 1' for number in range(500))
    assert len(faults_of('{"text": "a", ' + keys + "}\n", Kind.JSONL)) == 20
    lines = "".join(f'{{"text": "a", "voice_l{number}": 1}}\n' for number in range(500))
    assert len(faults_of(lines, Kind.JSONL)) == 20


@pytest.mark.parametrize(
    "text",
    [
        "#N/A",
        " #REF! ",
        "#NAME?",
        "#BEZUG!",
        "Err:502",
        "#ERROR!",
        "#n/a",
        "<p></p>",
        "<br/>",
        "&nbsp;",
        "<p>&nbsp;</p>",
        "[whispers]",
        "<break time='1s'/>",
        "<!-- later -->",
        "[a] [b]…",
    ],
)
def test_what_holds_no_words_is_an_error(text: str) -> None:
    """Alone in a cell, in every way of reading."""
    assert unspoken(text) is not None
    assert len(faults_of(f'text,custom_id\n"{text}",a\n"Fine.",b\n', Kind.CSV)) == 1
    assert len(faults_of(f"{text}\nFine.\n", Kind.PLAIN)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "#1 hit",
        "#N/A means nothing",
        "Error 502",
        "<b>Hi</b>",
        "5 < 7 > 3",
        "[whispers] Hi",
        "AT&T; fine",
        "&eacute;t&eacute;",
    ],
)
def test_what_holds_words_is_spoken(text: str) -> None:
    """However it begins."""
    assert unspoken(text) is None
    assert names_of(f'text,custom_id\n"{text}",a\n', Kind.CSV) == {2: "a"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<p>Hi</p>", Markup.HTML),
        ("a<br>b", Markup.HTML),
        ('<a href="x">y</a>', Markup.HTML),
        ("Fish &amp; chips", Markup.ENTITIES),
        ("&#8211;a", Markup.ENTITIES),
        ("<speak>Hi</speak>", Markup.SSML),
        ('Hi<break time="1s"/>', Markup.SSML),
        ("5 < 7", None),
        ("a <3 you", None),
        ("AT&T", None),
        ("R&D; x", None),
        ("x -> y <- z", None),
    ],
)
def test_markup_is_recognised(text: str, kind: Markup | None) -> None:
    """And what only looks a little like it isn't."""
    assert markup(text) is kind


@pytest.mark.parametrize("rows", [3, 3_000])
def test_texts_with_markup_are_counted(rows: int) -> None:
    """By whichever way they were judged; the first lines are named."""
    content = "text\n" + "<p>Hi</p>\nHello.\nA &amp; b\n" * rows
    judged = judge_all(io.BytesIO(content.encode()), kind=Kind.CSV)
    assert judged.markup.texts == {Markup.HTML: rows, Markup.ENTITIES: rows}
    assert judged.markup.first[Markup.HTML][:2] == [2, 5]
