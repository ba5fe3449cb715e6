"""Reads a script and its cast for a command."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from api_models.casts import REFERENCE
from api_models.hints import did_you_mean
from api_models.origins import DEFAULT_TENANT
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError
from worker.cli.console.terminal import Terminal
from worker.scripts.cast.cast import Cast, cast_of
from worker.scripts.cast.files import SUFFIXES, read_cast
from worker.scripts.cast.kept import kept_cast
from worker.scripts.readers.files import read_script
from worker.scripts.script import Script
from worker.store import casts

_SUFFIXES: Final = frozenset(SUFFIXES)


def read_cast_and_script(
    file: Path, cast: str, encoding: str, model: str, terminal: Terminal
) -> tuple[Cast | None, Script]:
    """Read a script, and the cast that an option names or the script holds. Raises InvalidInputError, OSError,
    CliError.
    """
    chosen = chosen_cast(cast, model, terminal) if cast else None
    script = read_script(file, encoding, chosen.names() if chosen is not None else ())
    if chosen is None and script.cast:
        chosen = cast_of(script.cast, file.name, model)
    return chosen, script


def chosen_cast(cast: str, model: str, terminal: Terminal) -> Cast:
    """Return the cast of `--cast`: a file, or one that is kept. Raises as `read_cast_and_script`."""
    path = Path(cast)
    if path.suffix.lower() in _SUFFIXES:
        return read_cast(path, model)
    if (found := REFERENCE.fullmatch(cast)) is None:
        raise BadOptionError("--cast", cast, "is no cast", f"name a {', '.join(SUFFIXES)} file, or a cast that is kept")
    version = int(found["version"]) if found["version"] else None
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        return kept_cast(existing(connection, "--cast", found["name"], version), model)


def existing(connection: Connection, option: str, name: str, version: int | None = None) -> casts.CastRecord:
    """Return a cast that is kept. Raises BadOptionError."""
    record = casts.find(connection, DEFAULT_TENANT, name, version)
    if record is not None:
        return record
    known = [one.name for one in casts.latest(connection, DEFAULT_TENANT)]
    if name in known:
        versions = ", ".join(map(str, casts.versions(connection, DEFAULT_TENANT, name)))
        raise BadOptionError(option, f"{name}@{version}", "is no version of it", f"there are {versions}")
    remedy = f"`ttsq cast set {name} FILE` keeps one; `ttsq cast list` shows them"
    raise BadOptionError(option, name, f"is no cast that is kept{did_you_mean(name, known)}", remedy)
