"""Every command, without exception: JSON on request, help without types of Python, errors in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.testing import CliRunner

from worker.cli.lazy import load
from worker.cli.main import COMMANDS, app
from worker.cli.run.row_options import RowOptions

NOT_A_TYPE = re.compile(r"<(?:bool|str|int|float|path|list)|\bint range\b|list\[|<[a-z]+ range>")
FOREIGN = re.compile(r"Input should|Value error|valid (?:integer|number|string)|pydantic", re.IGNORECASE)


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - typer's own
    """Commands that do something, with their words."""
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*path, name))


LEAVES = [found for entry in COMMANDS for found in leaves(load(entry), (entry.name,))]
IDS = [" ".join(path) for path, _ in LEAVES]


def shown(*arguments: str) -> str:
    """What the command line prints, whatever it is."""
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).output


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=IDS)
def test_every_command_knows_json_and_help_without_types(path: tuple[str, ...], command: Any) -> None:  # noqa: ANN401 - typer's own
    """Flags have no type, and what has one is named in English."""
    assert any("--json" in parameter.opts for parameter in command.params), path
    printed = shown(*path, "--help")
    assert "Usage: " in printed
    assert not NOT_A_TYPE.search(printed)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("jobs", "list", "--limit", "x"), "--limit' / '-n': must be a whole number, not \"x\""),
        (("jobs", "list", "--limit", "0"), 'must be at least 1, not "0"'),
        (("batch", "priority", "a", "400"), 'must be at most 100, not "400"'),
        (("run", "a.csv", "--temperature", "warm"), 'must be a number, not "warm"'),
        (("run", "a.csv", "--on-invalid", "skp"), '"skp" is not one of reject, skip; did you mean "skip"?'),
        (("run", "a.csv", "--input-format", "excel"), '"excel" is not one of csv, tsv,'),
        (("keys", "add", "a", "--scope", "reed"), 'did you mean "read"?'),
        (("jobs", "list", "--status", "done"), '"done" is not one of scheduled,'),
    ],
)
def test_a_wrong_value_is_named_with_what_it_must_be(arguments: tuple[str, ...], said: str) -> None:
    """No word of the library that parses it."""
    printed = " ".join(shown(*arguments).replace("│", " ").split())
    assert said in printed
    assert not FOREIGN.search(printed)


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_shown(flag: str) -> None:
    """By both names."""
    assert re.fullmatch(r"ttsq \d+\.\d+\.\d+\S*\n", shown(flag))


@pytest.mark.parametrize("name", ["run", "quote", "batch diff", "schedule add"])
def test_commands_that_read_a_sheet_have_the_same_options(name: str) -> None:
    """So that what can be run can be quoted, compared and scheduled."""
    (command,) = [command for path, command in LEAVES if " ".join(path) == name]
    options = {parameter.name for parameter in command.params}
    assert options >= {field.name for field in fields(RowOptions)}
    assert name == "batch diff" or {"max_cost", "key_template"} <= options


def test_choices_are_shown_in_the_help() -> None:
    """Formats, models, rates and what to do with faulty rows."""
    printed = shown("run", "--help")
    for words in ("wav|flac|mp3|opus", "gemini-3.1-flash-tts (default)", "44100, 48000", "reject|skip", "8k to 320k"):
        assert words in printed
