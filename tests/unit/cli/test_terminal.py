"""Which words go to which stream, and what never goes to either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from worker import settings
from worker.cli.console.terminal import Terminal
from worker.cli.main import main

KEY = "not-shaped-like-a-key-at-all"


def test_with_json_all_words_leave_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A script reads standard output and finds JSON, nothing else."""
    terminal = Terminal(as_json=True)
    terminal.result("words")
    terminal.note("more words")
    terminal.data({"total": 1, "name": "Grüße"})
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"total": 1, "name": "Grüße"}
    assert shown.err == "words\nmore words\n"


def test_without_json_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """People get words, and data is dropped."""
    terminal = Terminal()
    terminal.result("words")
    terminal.data({"total": 1})
    assert capsys.readouterr().out == "words\n"


def test_quiet_prints_warnings_and_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A quiet command still says what went wrong."""
    terminal = Terminal(quiet=True)
    terminal.result("result")
    terminal.note("note")
    terminal.warn("warning")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "warning\n")


def test_the_key_passes_no_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the key of the settings, whatever its shape, nor anything shaped like the vendor's."""
    terminal = Terminal(as_json=True)
    terminal.guard(settings.load(SEGMIND_API_KEY=KEY))
    terminal.data({"message": f"bad key {KEY}"})
    terminal.warn(f"bad key {KEY} or SG_0123456789abcdef")
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert "SG_" not in shown.out + shown.err
    assert json.loads(shown.out) == {"message": "bad key ***"}


def test_brackets_are_words_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts are full of tags such as [whispers] and [/b]; they are shown as they are."""
    Terminal().result("[whispers] hello [/b] :smile:")
    assert capsys.readouterr().out == "[whispers] hello [/b] :smile:\n"


def test_lines_of_a_pipe_are_never_wrapped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What someone greps for stays on its line, however long it is."""
    Terminal().result(f"{tmp_path} " * 50)
    assert capsys.readouterr().out.count("\n") == 1


HOSTILE = "\x1b]0;title\x07 \x9b31m \u202egpj.exe \x85"


@pytest.mark.parametrize("method", ["result", "note", "warn"])
@pytest.mark.parametrize("form", ["text", "rich", "table"])
def test_foreign_text_commands_no_terminal(method: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """However it is laid out."""
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(Text(HOSTILE), HOSTILE)
    contents: dict[str, RenderableType] = {
        "text": HOSTILE,
        "rich": Text.assemble(("a", "bold"), HOSTILE),
        "table": table,
    }
    getattr(Terminal(), method)(contents[form])
    shown = capsys.readouterr()
    assert r"\x1b]0;title" in shown.out + shown.err
    assert all(character.isprintable() or character == "\n" for character in shown.out + shown.err)


def test_json_reaches_a_terminal_by_codes_only(capsys: pytest.CaptureFixture[str]) -> None:
    """And is read back as it was."""
    Terminal(as_json=True).data({HOSTILE: HOSTILE})
    shown = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert json.loads(shown) == {HOSTILE: HOSTILE}


def test_an_argument_of_the_command_line_is_quoted_safely(capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern of the shell may have put a file's name there."""
    with pytest.raises(SystemExit) as ended:
        main(["jobs", HOSTILE])
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    assert "No such command" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_a_password_of_an_address_passes_no_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """Of any address, and those of the settings wherever they stand."""
    terminal = Terminal()
    terminal.guard(settings.load(TTSQ_BROKER_URL="redis://:swordfish-7@h/0"))
    terminal.warn("swordfish-7 and postgresql://u:other@h/db, https://h:80/@x")
    assert capsys.readouterr().err == "*** and postgresql://u:***@h/db, https://h:80/@x\n"


@pytest.mark.parametrize("form", [str, Text])
def test_a_secret_that_a_terminal_wraps_is_masked_before(
    form: type[str] | type[Text], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it at the end of a line would pass the stream."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    terminal.guard(settings.load(SEGMIND_API_KEY=KEY))
    terminal.errors.width = 40
    terminal.warn(form(f"{'x' * 30}{KEY} {'y' * 20}redis://:swordfish-of-great-length@h/0"))
    shown = capsys.readouterr().err.replace("\n", "")
    assert KEY not in shown
    assert "swordfish" not in shown
