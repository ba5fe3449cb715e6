"""Commands of the runbooks exist, with the options that they are given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

import click
import pytest
import typer

from worker.cli.main import app

RUNBOOKS: Final = Path(__file__).parents[3] / "docs/runbooks"
COMMANDS: Final = sorted(
    {
        (page.name, found[1] or found[2])
        for page in RUNBOOKS.glob("*.md")
        for found in re.finditer(r"^    (ttsq .+)$|`(ttsq [^`]+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
)


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {command}" for page, command in COMMANDS])
def test_a_command_of_a_runbook_exists(page: str, command: str) -> None:
    """Each word of a group is one of its commands, and each option one of the command's."""
    del page
    found: Any = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    context = click.Context(found)
    while words and not words[0].startswith("-") and hasattr(found, "resolve_command"):
        _, found, words = found.resolve_command(context, words)
        context = click.Context(found)
    known = {name for parameter in found.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known
