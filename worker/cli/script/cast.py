"""`ttsq cast list|show|set|suggest|rm`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from api_models.casts import REFERENCE
from api_models.hints import did_you_mean
from api_models.origins import DEFAULT_TENANT
from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import cut, number
from worker.cli.console.terminal import Terminal
from worker.cli.script.input import existing, read_cast_and_script
from worker.cli.snapshot import stamp
from worker.environment import models_file
from worker.scripts.cast.cast import Cast, cast_of
from worker.scripts.cast.files import entry_of, read_entries, toml
from worker.scripts.cast.kept import kept_cast
from worker.scripts.cast.suggest import Suggestion, excerpt_of, suggest
from worker.scripts.script import Script, folded
from worker.store import casts
from worker.store.casts import CastRecord

_NAME, _WORDS = 30, 50

app = typer.Typer(
    name="cast",
    add_completion=False,
    help="Keep and suggest the voices of scripts.",
    no_args_is_help=True,
)


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the cast.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_casts(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per cast.")] = False,
) -> None:
    """List the casts that are kept."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = casts.latest(connection, DEFAULT_TENANT)
    for one in found:
        terminal.data(_data(one))
    if as_json:
        return
    if not found:
        terminal.result("No casts; keep one with `ttsq cast set NAME FILE`.")
        return
    table = _plain_table("NAME", "VERSION", "ROLES", "SINCE")
    for one in found:
        table.add_row(one.name, str(one.version), str(len(one.roles)), stamp(one.created_at))
    terminal.result(table)


@app.command("show")
def show(
    cast: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Name of the cast, and its version.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show the roles of a cast."""
    terminal = Terminal(as_json=as_json)
    if (found := REFERENCE.fullmatch(cast)) is None:
        raise BadOptionError("NAME", cast, "is no name of a cast")
    version = int(found["version"]) if found["version"] else None
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        record = existing(connection, "NAME", found["name"], version)
    kept = kept_cast(record)
    terminal.data(_data(record) | {"roles": record.roles, "warnings": kept.warnings()})
    if not as_json:
        terminal.result(Text(kept.label, style="bold"))
        terminal.result(_roles(kept))
    for warning in kept.warnings():
        terminal.warn(Text.assemble(("warning: ", "yellow"), warning))


@app.command("set")
def set_cast(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML, JSON or CSV file with a role a speaker.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep the cast of a file under a name, as a new version. Earlier versions stay."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    found = REFERENCE.fullmatch(name)
    if found is None or found["version"]:
        raise BadOptionError("NAME", name, "is no name of a cast", "use letters, digits and any of _ . : -")
    try:
        entries = read_entries(file)
    except OSError as error:
        raise CliError(f"{error.filename or file}: {error.strerror or error}") from None
    cast_of(entries, file.name)
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = casts.put(connection, DEFAULT_TENANT, name, entries, now=database.now(connection))
    message = f"{name}@{record.version} has {number(len(record.roles), 'role')}."
    terminal.done(message, **_data(record))


@app.command("rm")
def remove(name: Name, *, as_json: AsJson = False) -> None:
    """Remove a cast with all its versions. What was made with it stays."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        existing(connection, "NAME", name)
        count = casts.remove(connection, DEFAULT_TENANT, name)
    terminal.done(f"{name} removed, {number(count, 'version')}.", name=name, versions=count)


def _data(record: CastRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "entries": len(record.roles),
        "created_at": stamp(record.created_at),
    }


def _roles(cast: Cast) -> Table:
    table = _plain_table("SPEAKER", "VOICE", "MODEL", "STYLE", "GAIN", "PACE", "ALIASES")
    shown: dict[str, list[str]] = {}
    for name, role in cast.roles.items():
        shown.setdefault(role.name, [])
        if name != folded(role.name):
            shown[role.name].append(name)
    for name, aliases in shown.items():
        role = cast.roles[folded(name)]
        gain, pace = f"{role.gain_db:+g} dB" if role.gain_db else "", f"{role.pace:g}" if role.pace != 1 else ""
        described = (role.voice, role.model, Text(role.style), gain, pace, Text(", ".join(aliases)))
        table.add_row(Text(cut(name, _NAME)), *described)
    return table


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
    table = _plain_table("SPEAKER", "VOICE", "CHARACTER", "FIRST WORDS")
    for name, role in found.roles.items():
        words = cut(excerpt_of(script, name), _WORDS)
        table.add_row(Text(cut(name, _NAME)), role.voice, VOICES.get(role.voice, ""), Text(words, style="dim"))
    return table


def _plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=True)
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
