"""From an exception to a one-line message and a remedy."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from api_models.escaping import escaped_line
from api_models.problems import InvalidInputError
from worker import settings
from worker.artifacts.errors import ArtifactsError
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.process.factories import StartError
from worker.store.errors import describe, is_busy

SHOWN_FAULTS: Final = 20
"""Input errors that are printed, one screenful; the rest are counted."""
_UNTOUCHED: Final = "nothing was queued or charged"


@dataclass(frozen=True, slots=True)
class Explanation:
    message: str
    remedy: str = ""
    lines: Sequence[str] = ()
    """One line per error."""
    unexpected: bool = False


def explain(error: BaseException) -> Explanation:
    """Explain any exception. Imports what it needs to recognise one, so call it only on failure."""
    match error:
        case InvalidInputError():
            return _faults(error)
        case CliError():
            return Explanation(error.message, error.remedy, error.lines)
        case OSError():
            return Explanation(_operating_system(error))
        case _:
            return _known(error) or Explanation(
                f"{type(error).__name__}: {_first_line(error)}",
                "unexpected error; repeat the command with TTSQ_LOG_LEVEL=debug for a traceback",
                unexpected=True,
            )


def _faults(error: InvalidInputError) -> Explanation:
    if error.total == 1 and error.source != "settings":
        return Explanation(f"{error.source}: {error.faults[0]}; {_UNTOUCHED}")
    shown = [str(fault) for fault in error.faults[:SHOWN_FAULTS]]
    if more := error.total - len(shown):
        shown.append(f"and {more:,} more")
    if error.source == "settings":
        return Explanation("invalid settings", "fix them in the environment or in .env", shown)
    return Explanation(f"{error.source}: {error.total:,} errors; {_UNTOUCHED}", "", shown)


def _known(error: BaseException) -> Explanation | None:

    from worker.emulator.errors import CannotListenError  # noqa: PLC0415 - loads a web framework

    match error:
        case StartError():
            return Explanation(error.message, error.remedy)
        case ArtifactsError():
            return Explanation(error.message)
        case CannotListenError():
            return Explanation(str(error), "choose another --port (0 takes a free one) or --host")
        case SQLAlchemyError():
            return _database(error)
        case _:
            return None


def _database(error: Exception) -> Explanation:
    if is_busy(error):
        return Explanation(describe(error), "repeat the command")
    return Explanation(describe(error), "check TTSQ_DATABASE_URL, and that the server is running")


def _operating_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def print_error(error: Exception) -> None:
    if hasattr(error, "format_message"):  # an error of the command line's parser, whose class typer does not export
        _print_usage_error(error)
        return
    terminal = Terminal()
    debug = _debug(terminal)
    found = explain(error)
    if debug:
        terminal.warn("".join(traceback.format_exception(error)).rstrip(), style="dim")
    terminal.warn(Text.assemble(("ttsq: ", "bold red"), escaped_line(found.message)))
    for line in found.lines:
        terminal.warn(f"  {escaped_line(line)}")
    if found.remedy:
        terminal.warn(f"  {found.remedy}", style="dim" if found.lines else "")


def _print_usage_error(error: Any) -> None:  # noqa: ANN401 - as above
    """Print as typer does, with the arguments that the message quotes escaped: a file's name may be one."""
    from typer import rich_utils  # noqa: PLC0415 - needed on failure only

    message = escaped_line(error.format_message())
    error.format_message = lambda: message
    rich_utils.rich_format_error(error)


def _debug(terminal: Terminal) -> bool:
    try:
        return terminal.guard(settings.load()).log_level == "debug"
    except InvalidInputError:
        return False
