"""Every `ttsq` command line in the documentation is one that the program takes: its words and its options exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest

from worker.cli.lazy import load
from worker.cli.main import COMMANDS

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RELEASE.md")), *(ROOT / "docs").rglob("*.md")]
)
BLOCK: Final = re.compile(r"^```(?:bash|console|sh|text)?[^\n`]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND: Final = re.compile(r"(?:^|[|&;$(]\s*|[A-Z_]+=\S*\s+)(ttsq\s[^|&;\n)]*)", re.MULTILINE)
COMMENT: Final = re.compile(r"(^|\s)#\s.*$", re.MULTILINE)
ENTRIES: Final = {entry.name: entry for entry in COMMANDS}


def lines(page: Path) -> Iterator[str]:
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        joined = COMMENT.sub("", block.replace("\\\n", " "))
        yield from (found.strip() for found in COMMAND.findall(joined))


LINES: Final = sorted({(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in lines(page)})


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_the_program_takes_this_command_line(page: str, line: str) -> None:
    del page
    words = shlex.split(line)[1:]
    if words[0] in {"COMMAND", "--version", "--help", "-V", "--install-completion"}:
        return
    assert words[0] in ENTRIES, words[0]
    found: Any = load(ENTRIES[words.pop(0)])
    context = click.Context(found)
    while words and not words[0].startswith("-") and hasattr(found, "resolve_command"):
        _, found, words = found.resolve_command(context, words)
        context = click.Context(found)
    parameters = found.get_params(context)
    known = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z0-9-]*(=.*)?", word)}
    assert given <= known


def test_there_are_command_lines() -> None:
    """The pages have not changed their form."""
    assert len(LINES) > 30
