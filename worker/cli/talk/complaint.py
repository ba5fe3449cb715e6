"""How an exception that ends a command is printed: one line, its remedy, and at the debug level where it came from."""

from __future__ import annotations

import traceback

from rich.text import Text

from api_models.problems import InvalidInputError
from worker import settings
from worker.cli.talk.explaining import explain
from worker.cli.talk.terminal import Terminal


def complain(error: Exception) -> None:
    """Print what is wrong to standard error."""
    terminal = Terminal()
    debug = _debug(terminal)
    found = explain(error)
    if debug:
        terminal.trouble("".join(traceback.format_exception(error)).rstrip(), style="dim")
    terminal.trouble(Text.assemble(("ttsq: ", "bold red"), found.message))
    for line in found.lines:
        terminal.trouble(f"  {line}")
    if found.remedy:
        terminal.trouble(f"  {found.remedy}", style="dim" if found.lines else "")


def _debug(terminal: Terminal) -> bool:
    try:
        return terminal.guard(settings.load()).log_level == "debug"
    except InvalidInputError:
        return False
