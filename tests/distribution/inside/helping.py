"""Run by an installation's own interpreter: asks every command for its help, and prints each that has none to give."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - click's, which the tests may not have
    """The words of each command and of each group of commands below `command`."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


def every_command() -> Iterator[tuple[str, ...]]:
    """The words of `ttsq` alone, and of each command and group below it."""
    from worker.cli.lazy import load
    from worker.cli.main import COMMANDS

    yield ()
    for entry in COMMANDS:
        yield from commands(load(entry), (entry.name,))


def main() -> int:
    """The number of commands goes to standard error."""
    from worker.cli.main import main as ttsq

    faults = asked = 0
    for words in every_command():
        shown, code = io.StringIO(), None
        with contextlib.redirect_stdout(shown):
            try:
                ttsq([*words, "--help"])
            except SystemExit as end:
                code = end.code or 0
        asked += 1
        if code != 0 or "Usage:" not in shown.getvalue():
            faults += 1
            print(" ".join(words), code, shown.getvalue())
    print(asked, file=sys.stderr)
    return faults


if __name__ == "__main__":
    sys.exit(main())
