"""From an exception to what a person needs: what is wrong, in one line, and what would mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api_models.problems import InvalidInputError
from worker.cli.talk.errors import CliError

SHOWN_FAULTS: Final = 20
"""Faults of an input that are printed; a screenful. The others are counted."""
_UNTOUCHED: Final = "nothing was stored or spent"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to print."""

    message: str
    remedy: str = ""
    lines: Sequence[str] = ()
    """One line each, for what has several faults."""
    surprise: bool = False
    """Nobody foresaw this; where it came from is of use."""


def explain(error: BaseException) -> Explanation:
    """What to say about any exception. Imports what it must to recognise one, so only call it when there is one."""
    match error:
        case InvalidInputError():
            return _faults(error)
        case CliError():
            return Explanation(error.message, error.remedy, error.lines)
        case OSError():
            return Explanation(_operating_system(error))
        case _:
            return _of_a_room(error) or Explanation(
                f"{type(error).__name__}: {_first_line(error)}",
                "this is not foreseen; give the command again with TTSQ_LOG_LEVEL=debug to see where it comes from",
                surprise=True,
            )


def _faults(error: InvalidInputError) -> Explanation:
    if error.total == 1 and error.source != "settings":
        return Explanation(f"{error.source}: {error.faults[0]}; {_UNTOUCHED}")
    shown = [str(fault) for fault in error.faults[:SHOWN_FAULTS]]
    if more := error.total - len(shown):
        shown.append(f"and {more:,} more")
    if error.source == "settings":
        return Explanation("the settings can't be used", "mend them in the environment or in .env", shown)
    return Explanation(f"{error.source}: {error.total:,} faults; {_UNTOUCHED}", "", shown)


def _of_a_room(error: BaseException) -> Explanation | None:
    """Exceptions of the rooms below, which are imported only now that something went wrong."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - a command without a database doesn't pay for it

    from worker.artifacts.errors import ArtifactsError  # noqa: PLC0415 - likewise
    from worker.emulator.errors import CannotListenError  # noqa: PLC0415 - likewise
    from worker.opening import StartError  # noqa: PLC0415 - likewise

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
    from worker.store.faults import is_busy, words  # noqa: PLC0415 - as above

    if is_busy(error):
        return Explanation(words(error), "give the command again")
    return Explanation(words(error), "check TTSQ_DATABASE_URL, and that the server is up")


def _operating_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
