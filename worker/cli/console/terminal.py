"""Results go to standard output, everything else to standard error, secrets to neither.

With `--json`, standard output carries JSON only; all text moves to standard error.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from rich.console import Console, RenderableType
from rich.text import Text

from worker.telemetry.redaction import redact

if TYPE_CHECKING:
    from worker.settings import Settings

UNBOUND_WIDTH: Final = 200
"""Columns assumed for files and pipes, so that no table is truncated."""


class Guarded:
    """A stream that redacts API keys from everything written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.secrets: set[str] = set()

    def write(self, text: str) -> int:
        return self._stream.write(redact(text, *self.secrets))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - delegates to the real stream
        return getattr(self._stream, name)


class Terminal:
    """The two streams of one command."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        """`as_json` reserves standard output for `data`; `quiet` suppresses everything but warnings and data."""
        self._out, self._err = Guarded(sys.stdout), Guarded(sys.stderr)
        self._as_json = as_json
        self.quiet = quiet
        self.errors: Final = _console(self._err)
        self.results: Final = self.errors if as_json else _console(self._out)

    def guard(self, settings: Settings) -> Settings:
        """Redact the API key of these settings from both streams."""
        if settings.segmind_api_key is not None:
            secret = settings.segmind_api_key.get_secret_value()
            self._out.secrets |= {secret, secret.strip()}
            self._err.secrets |= {secret, secret.strip()}
        return settings

    def result(self, content: RenderableType = "", style: str = "") -> None:
        if not self.quiet:
            _print(self.results, content, style)

    def note(self, content: RenderableType, style: str = "") -> None:
        if not self.quiet:
            _print(self.errors, content, style)

    def warn(self, content: RenderableType, style: str = "") -> None:
        """Print to standard error, even if quiet."""
        _print(self.errors, content, style)

    def data(self, content: Mapping[str, Any]) -> None:
        """Print one JSON object on its own line, with `as_json`."""
        if self._as_json:
            self._out.write(json.dumps(content, ensure_ascii=False) + "\n")
            self._out.flush()


def _console(stream: Guarded) -> Console:
    width = None if stream.isatty() else UNBOUND_WIDTH
    return Console(file=cast("TextIO", stream), width=width, highlight=False, markup=False, emoji=False)


def _print(console: Console, content: RenderableType, style: str) -> None:
    # A terminal may wrap text at its width; a program reading a pipe needs whole lines.
    if isinstance(content, str):
        content = Text(content, style=style)
    console.print(content, style=style or None, soft_wrap=not console.is_terminal and isinstance(content, Text))


YES = frozenset({"y", "yes"})
NO = frozenset({"n", "no"})
POLL_SECONDS: Final = 0.2


def can_ask() -> bool:
    """Return whether standard input and standard error are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(terminal: Terminal, question: str, *, enter: bool = True) -> bool:
    """Ask until the answer is yes or no. Enter means `enter`; end of input means no."""
    choices = "[Y/n]" if enter else "[y/N]"
    while True:
        terminal.errors.print(f"{question} {choices} ", end="", markup=False, highlight=False)
        answer = _line()
        if not answer:
            terminal.errors.print()
            return False
        word = answer.strip().lower()
        if not word:
            return enter
        if word in YES | NO:
            return word in YES


def _line() -> str:
    """Read one line, polling: a blocking read would notice a Ctrl-C only at the next key."""
    while not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
        continue
    return sys.stdin.readline()
