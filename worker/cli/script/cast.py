"""`ttsq cast suggest`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from api_models.hints import did_you_mean
from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import cut, number
from worker.cli.console.terminal import Terminal
from worker.cli.script.input import read_cast_and_script
from worker.environment import models_file
from worker.scripts.cast.files import entry_of, toml
from worker.scripts.cast.suggest import Suggestion, excerpt_of, suggest
from worker.scripts.script import Script

_NAME, _WORDS = 30, 50

app = typer.Typer(
    name="cast",
    add_completion=False,
    help="Suggest the voices of a script.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    pass


@app.command("suggest")
def suggest_cast(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A script in any form that `ttsq script` reads.")],
    *,
    cast: Annotated[
        str, typer.Option(metavar="FILE|NAME", help="A cast whose roles stay; only missing ones are suggested.")
    ] = "",
    model: Annotated[str, typer.Option(help="Model of the suggested roles.")] = DEFAULT_MODEL,
    out: Annotated[Path | None, typer.Option(metavar="TOML", help="Write the cast to a new file.")] = None,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file if not UTF-8.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Suggest a voice for each speaker of a script, by contrast. Buys nothing."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    if model not in MODELS:
        raise BadOptionError(
            "--model", model, f"is not a model{did_you_mean(model, MODELS)}", f"use {', '.join(MODELS)}"
        )
    try:
        known, read = read_cast_and_script(script, cast, encoding, model, terminal)
    except OSError as error:
        raise CliError(f"{error.filename or script}: {error.strerror or error}") from None
    found = suggest(read, model, known)
    warnings = list(_warnings(found))
    cast_entries = {name: entry_of(role) for name, role in found.roles.items()}
    terminal.data({"cast": cast_entries, "alike": [list(pair) for pair in found.alike], "warnings": warnings})
    if not as_json:
        terminal.result(_table(read, found))
    for warning in warnings:
        terminal.warn(Text.assemble(("warning: ", "yellow"), warning))
    if out is not None:
        _write(out, toml(found.roles))
        terminal.note(f"Wrote {number(len(found.roles), 'role')} to {out}; `ttsq run {script} --cast {out}` speaks it.")


def _table(script: Script, found: Suggestion) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("SPEAKER", "VOICE", "CHARACTER", "FIRST WORDS"):
        table.add_column(name, no_wrap=True)
    for name, role in found.roles.items():
        words = cut(excerpt_of(script, name), _WORDS)
        table.add_row(Text(cut(name, _NAME)), role.voice, VOICES.get(role.voice, ""), Text(words, style="dim"))
    return table


def _warnings(found: Suggestion) -> Iterator[str]:
    for one, other in found.alike:
        first, second = found.roles[one].voice, found.roles[other].voice
        described = f"{first} ({VOICES[first]}) and {second} ({VOICES[second]})"
        yield f"{one} and {other} sound alike: {described}"
    if found.shared:
        shared = ", ".join(found.shared)
        yield f"{shared}: the voice of another speaker, because there are more speakers than voices"


def _write(path: Path, content: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(content)
    except FileExistsError:
        raise BadOptionError("--out", str(path), "exists already", "name a new file") from None
    except OSError as error:
        raise BadOptionError("--out", str(path), f"can't be written: {error.strerror or error}") from None
