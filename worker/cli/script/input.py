"""Reads a script and its cast for a command."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from worker.cli.console.errors import BadOptionError
from worker.cli.console.terminal import Terminal
from worker.scripts.cast.cast import Cast, cast_of
from worker.scripts.cast.files import SUFFIXES, read_cast
from worker.scripts.readers.files import read_script
from worker.scripts.script import Script

_SUFFIXES: Final = frozenset(SUFFIXES)


def read_cast_and_script(
    file: Path, cast: str, encoding: str, model: str, terminal: Terminal
) -> tuple[Cast | None, Script]:
    """Read a script, and the cast that an option names or the script holds. Raises InvalidInputError, OSError,
    BadOptionError.
    """
    chosen = chosen_cast(cast, model, terminal) if cast else None
    script = read_script(file, encoding, chosen.names() if chosen is not None else ())
    if chosen is None and script.cast:
        chosen = cast_of(script.cast, file.name, model)
    return chosen, script


def chosen_cast(cast: str, model: str, terminal: Terminal) -> Cast:
    """Return the cast of `--cast`."""
    del terminal
    path = Path(cast)
    if path.suffix.lower() in _SUFFIXES:
        return read_cast(path, model)
    raise BadOptionError("--cast", cast, "is no file of a cast", f"name a {', '.join(SUFFIXES)} file")
