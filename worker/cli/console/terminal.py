"""The only place of the commands that prints. Results go to standard output, everything else to standard error.

Secrets reach neither. Control characters of texts, names and answers are escaped, so that they can't command the
terminal. With `--json`, standard output carries JSON only; all text moves to standard error.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from api_models.escaping import escaped, escaped_json
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

    def unredacted(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - delegates to the real stream
        return getattr(self._stream, name)


class SafeConsole(Console):
    """Escapes all text, whatever renders it; the control codes are the console's own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escaped(segment.text), segment.style)


class Terminal:
    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        """`as_json` reserves standard output for `data`; `quiet` suppresses everything but warnings and data."""
        self._out, self._err = Guarded(sys.stdout), Guarded(sys.stderr)
        self._as_json = as_json
        self.quiet = quiet
        self.errors: Final = _console(self._err)
        self.results: Final = self.errors if as_json else _console(self._out)

    def guard(self, settings: Settings) -> Settings:
        """Redact the secrets of these settings from both streams."""
        self._out.secrets |= settings.secrets
        self._err.secrets |= settings.secrets
        return settings

    def result(self, content: RenderableType = "", style: str = "") -> None:
        if not self.quiet:
            self._print(self.results, content, style)

    def note(self, content: RenderableType, style: str = "") -> None:
        if not self.quiet:
            self._print(self.errors, content, style)

    def warn(self, content: RenderableType, style: str = "") -> None:
        """Print to standard error, even if quiet."""
        self._print(self.errors, content, style)

    def done(self, message: str, **facts: object) -> None:
        """Print what a command has changed: the message, or with `as_json` one object that also has the facts."""
        if self._as_json:
            self.data({"message": message, **facts})
        else:
            self.result(message)

    def data(self, content: Mapping[str, Any]) -> None:
        """Print one JSON object on its own line, with `as_json`."""
        if self._as_json:
            self.documents([json.dumps(content, ensure_ascii=False) + "\n"])

    def documents(self, lines: Iterable[str]) -> None:
        """Print lines of JSON to standard output as they are; unsafe characters by their codes."""
        for line in lines:
            self._out.write(escaped_json(line))
        self._out.flush()

    def _print(self, console: Console, content: RenderableType, style: str) -> None:
        content = _safe(content, self._err.secrets)
        # A terminal may wrap text at its width; a program reading a pipe needs whole lines.
        console.print(content, style=style or None, soft_wrap=not console.is_terminal and isinstance(content, Text))

    def unbroken(self, line: str) -> None:
        """Print a line that is copied as a whole, such as a link: never wrapped, on standard error with `as_json`."""
        self.results.print(_safe(Text(line), self._err.secrets), soft_wrap=True)

    def public(self, text: str) -> None:
        """Print a line to standard output without redaction: the emulator's key is no secret, and looks like one."""
        self._out.unredacted(f"{escaped(text)}\n")


def _safe(content: RenderableType, secrets: Collection[str]) -> RenderableType:
    """Redact a text before it is wrapped: the stream would not know half of a secret at the end of a line."""
    if isinstance(content, str):
        return Text(escaped(redact(content, *secrets)))
    if isinstance(content, Text) and redact(content.plain, *secrets) != content.plain:
        return Text(redact(content.plain, *secrets), style=content.style)
    return content


def _console(stream: Guarded) -> Console:
    width = None if stream.isatty() else UNBOUND_WIDTH
    return SafeConsole(file=cast("TextIO", stream), width=width, highlight=False, markup=False, emoji=False)


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
        terminal.errors.print(escaped(f"{question} {choices} "), end="", markup=False, highlight=False)
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
