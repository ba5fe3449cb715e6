"""CSV and TSV: what is taken, and what is said of what can't be."""

from __future__ import annotations

import pytest

from api_models.speech import JobRequest
from tests.unit.intake_outcomes import faults_of, names_of, requests_of, texts_of
from worker.intake.kinds import Kind
from worker.intake.sheets import MAX_BROKEN_QUOTES


def test_a_row_fills_the_fields_its_columns_name() -> None:
    """Every field of a request may be a column, in any order."""
    sheet = (
        "voice_1,text,custom_id,model,voice_2,temperature,priority,not_before,deadline\n"
        "Kore,Hello.,intro,gemini-2.5-flash-tts,Puck,0.7,5,2026-12-01T08:00Z,2026-12-02T08:00Z\n"
    )
    assert requests_of(sheet, Kind.CSV) == {
        2: JobRequest.model_validate(
            {
                "text": "Hello.",
                "custom_id": "intro",
                "model": "gemini-2.5-flash-tts",
                "voice_1": "Kore",
                "voice_2": "Puck",
                "temperature": 0.7,
                "priority": 5,
                "not_before": "2026-12-01T08:00Z",
                "deadline": "2026-12-02T08:00Z",
            }
        )
    }


def test_empty_cells_mean_not_given() -> None:
    """A row that leaves everything but its text empty is the plainest of requests."""
    sheet = "text,model,voice_1,temperature,priority,deadline\nHello., ,,,,\n"
    assert requests_of(sheet, Kind.CSV) == {2: JobRequest(text="Hello.", custom_id="0002")}


def test_blanks_count_in_texts_only() -> None:
    """Blanks around names, numbers and the header's columns are dropped; a text is kept as it was written."""
    (request,) = requests_of("text , voice_1,custom_id\n  Hello. , Kore , a \n", Kind.CSV).values()
    assert (request.text, request.voice_1, request.custom_id) == ("  Hello. ", "Kore", "a")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_shows_what_separates_cells(delimiter: str) -> None:
    """Spreadsheets write commas, semicolons or tabs, depending on the country."""
    sheet = f"custom_id{delimiter}text\na{delimiter}One. Two, three: four\n".replace(
        "Two, three", "Two three" if delimiter == "," else "Two, three"
    )
    assert names_of(sheet, Kind.CSV) == {2: "a"}


def test_a_tsv_knows_only_tabs() -> None:
    """Commas and semicolons are part of the cells."""
    assert texts_of("text\tvoice_1\none, two; three\tKore\n", Kind.TSV) == {2: "one, two; three"}


def test_a_quoted_cell_may_span_lines_and_counts_from_its_first() -> None:
    """Line numbers are those of an editor, also behind a cell of several lines."""
    assert texts_of('text\n"Ann: Hi.\nBob: ""Ho!"""\n\nLast.\n', Kind.CSV) == {2: 'Ann: Hi.\nBob: "Ho!"', 5: "Last."}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_counts_alike(ending: str) -> None:
    """Files of Linux, Windows and old Macs give the same rows."""
    assert texts_of(ending.join(["text", "One.", "Two."]), Kind.CSV) == {2: "One.", 3: "Two."}


def test_delimiters_that_end_every_row_are_passed_over() -> None:
    """Spreadsheets write them for columns that were once in use."""
    assert texts_of("text,voice_1,,\nHello.,Kore,,\nHello.,Kore\n", Kind.CSV) == {2: "Hello.", 3: "Hello."}


def test_a_missing_header_is_reported_once() -> None:
    """Its first row isn't taken for a list of unknown columns, and a header in other words has a way."""
    assert faults_of("Good evening.,Kore\nGood night.,Puck\n", Kind.CSV) == [
        (
            'line 1, text: there is no column "text"; found "Good evening.", "Kore"; '
            "the first line must name the columns, such as custom_id,text,voice_1; "
            "if it does, choose the column of texts, such as --text-column 'Good evening.'"
        )
    ]


def test_a_header_of_nothing_but_delimiters() -> None:
    """There is nothing to list."""
    assert faults_of(",,\n,,\n", Kind.CSV)[0].startswith('line 1, text: there is no column "text"; found none; ')


def test_every_fault_of_a_header_is_reported_with_those_of_the_rows() -> None:
    """Misspelt and doubled columns, and the rows are judged by the columns that are left."""
    assert faults_of("text,temprature,notes,,text\nHello.,0.4,x,y,z\n,,x,,\n", Kind.CSV) == [
        "line 1, text: names columns 1 and 5; keep one of them",
        (
            'line 1, temprature: is not a known column; did you mean "temperature"? '
            "If not, carry it along: --ignore-column temprature"
        ),
        "line 3, text: is empty; give the words to be spoken",
    ]


def test_of_two_columns_with_one_name_the_first_counts() -> None:
    """The second has no say in what is wrong with the rows."""
    assert faults_of("text,voice_1,text\nHello.,Kore,\n", Kind.CSV) == [
        "line 1, text: names columns 1 and 3; keep one of them"
    ]


def test_rows_of_the_wrong_length() -> None:
    """Too many cells come of a delimiter in a text, too few of one forgotten."""
    assert faults_of("custom_id;text;voice_1\na;One; two;Kore\nb;Three\nc\n", Kind.CSV) == [
        "line 2: has 4 cells, but the header names 3; put a cell with a semicolon in it between quote marks",
        "line 3: has 2 cells, but the header names 3; an empty cell still needs its semicolon",
        "line 4: has 1 cell, but the header names 3; an empty cell still needs its semicolon",
    ]


def test_a_quote_that_never_closes_costs_only_its_own_row() -> None:
    """The rows that it swallowed are read again, and their own faults found."""
    assert faults_of('text,voice_1\n"Open,Kore\nFine.,Puck\nAlso.,Bob\n"Closed.",Kore\n', Kind.CSV) == [
        (
            "line 2: a quoted cell of this row runs on to line 5 and ends amid words there; close it with a quote "
            'mark, and write quote marks inside it twice: ""'
        ),
        'line 4, voice_1: no voice "Bob" (`ttsq voices` lists all 30)',
    ]


def test_a_quote_that_is_open_at_the_end_of_the_file() -> None:
    """It is found at the line on which its row begins."""
    assert faults_of('text,voice_1\nFine.,Kore\n"Open,Kore\nmore,Bob', Kind.CSV) == [
        "line 3: a quoted cell of this row never ends; close it with a quote mark",
        'line 4, voice_1: no voice "Bob" (`ttsq voices` lists all 30)',
    ]


def test_quote_marks_inside_a_quoted_cell_must_be_doubled() -> None:
    """Guessing would speak other words than those written."""
    assert faults_of('text\n"She said "now" twice"\n', Kind.CSV) == [
        'line 2: text follows the closing quote mark of a cell; write quote marks inside it twice: ""'
    ]


def test_a_quote_that_swallows_a_whole_book() -> None:
    """The cell is given up where it gets longer than any text, and the rows behind its first line are read."""
    sheet = 'text\n"Open.\n' + "A line of the book.\n" * 7_000
    assert faults_of(sheet + "…\n", Kind.CSV) == [
        "line 2: a cell of this row exceeds 131,072 characters; is its closing quote mark missing?",
        "line 7003, text: has no letter or digit to speak; give the words to be spoken",
    ]


def test_a_cell_longer_than_any_text() -> None:
    """It is refused without a guess at missing quote marks, and the next row is read."""
    assert faults_of("text\n" + "x" * 131_073 + "\n…\n", Kind.CSV) == [
        "line 2: a cell is longer than 131,072 characters, more than any text may have; split it into shorter ones",
        "line 3, text: has no letter or digit to speak; give the words to be spoken",
    ]


def test_a_file_full_of_broken_quotes_is_given_up() -> None:
    """Each costs a second look at what it swallowed; the last fault says where reading stopped."""
    found = faults_of("text\n" + 'x,"y\n"z\n' * 2 * MAX_BROKEN_QUOTES, Kind.CSV)
    assert sum("quoted cell" in fault for fault in found) == MAX_BROKEN_QUOTES
    assert found[-1].endswith("reading stopped here: too many broken quotes")


def test_a_header_without_rows() -> None:
    """Nothing to speak is a fault, not a success of zero jobs."""
    expected = ["line 1: the header names columns, but no rows follow it"]
    assert faults_of("text,voice_1\n", Kind.CSV) == expected
    assert faults_of("text,voice_1\n\n\n", Kind.CSV) == expected


def test_an_empty_text_is_a_fault() -> None:
    """Whether its cell is empty, blank or quoted."""
    expected = "text: is empty; give the words to be spoken"
    assert faults_of('text,voice_1\n,Kore\n  ,Kore\n"",Kore\n', Kind.CSV) == [
        f"line {line}, {expected}" for line in (2, 3, 4)
    ]


def test_rows_of_blank_cells_are_no_rows() -> None:
    """As spreadsheets write them below and between the rows; they count as lines, and as nothing else."""
    assert names_of('text,voice_1\nHello.,Kore\n,\n" ",\n\nBye.,\n,\n', Kind.CSV) == {2: "0002", 6: "0006"}
    assert faults_of('text\n""\n', Kind.CSV) == ["line 1: the header names columns, but no rows follow it"]
