"""Reading a source as a whole: where it comes from, what fills its gaps, how its faults are handed on."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from api_models.problems import Fault, InvalidInputError
from tests.unit.intake_outcomes import encoded, faults_of, requests_of
from worker.intake.kinds import WORKBOOKS, Kind
from worker.intake.reader import SHOWN_FAULTS, read, read_all
from worker.intake.source import head_and_lines, unreadable
from worker.intake.validation import Defaults, Row


class Pipe(io.BytesIO):
    """A stream that can't go back, as standard input behind a pipe."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        raise io.UnsupportedOperation(f"seek to {offset} from {whence}")

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


def messages(source: Path) -> list[str]:
    return [str(item) for item in read(source)]


def test_a_file_is_read_by_its_extension(tmp_path: Path) -> None:
    """The same bytes are a sheet or plain text, as the name says."""
    for name, count in (("a.csv", 1), ("a.txt", 2)):
        file = tmp_path / name
        file.write_text("text\nHello.\n", encoding="utf-8")
        assert len(read_all(file)) == count


def test_a_given_kind_wins_over_the_extension(tmp_path: Path) -> None:
    """Also where the extension means nothing."""
    file = tmp_path / "a.dat"
    file.write_text("text\nHello.\n", encoding="utf-8")
    assert [row.line for row in read_all(file, kind=Kind.CSV)] == [2]
    with pytest.raises(InvalidInputError, match=r"the extension \.dat is not known"):
        read_all(file)


def test_a_source_that_can_not_be_opened_is_a_fault(tmp_path: Path) -> None:
    """A missing file and a folder are distinguished."""
    assert messages(tmp_path / "gone.csv") == ["there is no such file"]
    assert messages(tmp_path) == ["is a folder; name a file in it"]
    assert messages(tmp_path / ("x" * 300 + ".csv"))[0].startswith("can't be read: ")


def test_a_source_that_may_not_be_read_is_a_fault() -> None:
    """The message quotes the reason of the system."""
    assert unreadable(PermissionError(13, "Permission denied")).message == "can't be read: permission denied"
    assert unreadable(OSError(5, "Input/output error")).message == "can't be read: Input/output error"


def test_an_empty_source_is_a_fault() -> None:
    """Zero bytes, or blank lines only, whatever the kind."""
    for kind in (None, *(kind for kind in Kind if kind not in {*WORKBOOKS, Kind.JSON})):
        for content in ("", "\n \n", "\ufeff"):
            assert faults_of(content, kind) == ["is empty; add at least one line of text"]


def test_a_pipe_is_read_like_a_file() -> None:
    """It can't be rewound, but the names of its jobs have to be as wide as its length demands."""
    rows = read_all(Pipe(b"a\n" * 10_000))
    assert (len(rows), rows[0].request.custom_id) == (10_000, "00001")


def test_a_named_pipe_is_sniffed() -> None:
    """What a shell's process substitution hands over has no telling name."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(b'{"text": "Hello."}\n')
    try:
        assert [row.request.text for row in read_all(Path(f"/dev/fd/{reading}"))] == ["Hello."]
    finally:
        os.close(reading)


def test_a_stream_is_read_from_where_it_stands_and_left_open() -> None:
    """Closing it is its owner's business, also when reading is broken off."""
    stream = encoded("skipped\nOne.\nTwo.\n")
    stream.readline()
    reading = read(stream)
    first = next(reading)
    assert isinstance(first, Row)
    assert (first.line, first.request.text) == (1, "One.")
    del reading
    assert not stream.closed


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", 0),
        (b"a", 1),
        (b"a\n", 1),
        (b"a\r\nb", 2),
        (b"a\rb\r", 2),
        (b"\n\n", 2),
        (b"x" * 1_048_575 + b"\r\n" + b"y", 2),
    ],
)
def test_lines_are_counted_as_an_editor_does(content: bytes, lines: int) -> None:
    """One pass before the reading, whichever line endings there are, also across its chunks."""
    assert head_and_lines(io.BytesIO(content))[1] == lines


def test_defaults_fill_what_rows_leave_empty() -> None:
    """A row's own value wins, field by field."""
    defaults = Defaults(model="gemini-2.5-flash-tts", voice_1="Puck", voice_2="Leda", temperature=1.0)
    first, second = requests_of(
        "text,model,voice_1,temperature\nOne.,,,\nTwo.,gemini-3.1-flash-tts,Kore,0\n", Kind.CSV, defaults
    ).values()
    assert first.model == "gemini-2.5-flash-tts"
    assert first.body() == {"text": "One.", "voice_1": "Puck", "voice_2": "Leda", "temperature": 1.0}
    assert second.model == "gemini-3.1-flash-tts"
    assert second.body() == {"text": "Two.", "voice_1": "Kore", "voice_2": "Leda", "temperature": 0.0}


def test_faulty_defaults_are_reported_once() -> None:
    """Not for each of the rows that they would have filled."""
    defaults = Defaults(model="gemini-3.1", voice_1="kora", temperature=3)
    assert faults_of("One.\nTwo.\n", Kind.PLAIN, defaults) == [
        (
            'model: no model "gemini-3.1"; did you mean "gemini-3.1-flash-tts"? '
            "(known: gemini-3.1-flash-tts, gemini-2.5-flash-tts)"
        ),
        'voice_1: no voice "kora"; did you mean "Kore"? (`ttsq voices` lists all 30)',
        "temperature: 3 is outside 0 to 2; give a number in that range, such as 0.4",
    ]


def test_the_operators_text_limit_is_applied() -> None:
    """In bytes of UTF-8."""
    assert faults_of("éé\nééé\n", Kind.PLAIN, max_text_bytes=4) == [
        "line 2, text: is 6 bytes of UTF-8, over the limit of 4 a request; split it into shorter lines"
    ]


def test_an_unknown_model_has_no_faults_in_its_wake() -> None:
    """The rest of such a row is judged by what any model takes."""
    (fault,) = faults_of("text,model,voice_1,temperature\nHello.,gemini-9,Kore,1.9\n", Kind.CSV)
    assert fault.startswith('line 2, model: no model "gemini-9"')


def test_rows_and_faults_stream_in_the_order_of_lines() -> None:
    """A reader may begin before the file's end is known; sound rows are handed on beside the faults."""
    found = list(read(encoded("text,voice_1\nOne.,Kore\n,Kore\nThree.,Puck\n"), kind=Kind.CSV))
    assert [(type(item), item.line) for item in found] == [(Row, 2), (Fault, 3), (Row, 4)]


def test_a_broken_row_is_never_handed_on() -> None:
    """A text whose bytes were repaired for the parser must not be synthesized."""
    found = list(read(encoded(b"One.\nTw\xff.\nThree.\n"), kind=Kind.PLAIN))
    assert [(type(item), item.line) for item in found] == [(Row, 1), (Fault, 2), (Row, 3)]


def test_faults_beyond_a_screenful_are_counted() -> None:
    """The error keeps the first hundred, names its source, and takes no row."""
    with pytest.raises(InvalidInputError) as caught:
        read_all(encoded("…\n" * 250 + "Fine.\n"), name="standard input", kind=Kind.PLAIN)
    error = caught.value
    assert error.source == "standard input"
    assert (len(error.faults), error.total, error.unshown) == (SHOWN_FAULTS, 250, 150)


def test_the_source_is_named_after_its_path(tmp_path: Path) -> None:
    """Where the caller has no better name."""
    with pytest.raises(InvalidInputError) as caught:
        read_all(tmp_path / "gone.csv")
    assert caught.value.source == str(tmp_path / "gone.csv")
