"""Days and months as people type them, as stretches of UTC. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from worker.cli.talk.errors import BadOptionError

_DATE: Final = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)
REMEDY: Final = "write a day as 2026-11-30, or a whole month as 2026-11; both are UTC's"


def beginning(option: str, text: str | None) -> datetime | None:
    """The first moment of a day or month.

    Raises:
        BadOptionError: it names none.
    """
    return None if text is None else _stretch(option, text)[0]


def end(option: str, text: str | None) -> datetime | None:
    """The first moment after a day or month.

    Raises:
        BadOptionError: it names none.
    """
    return None if text is None else _stretch(option, text)[1]


def _stretch(option: str, text: str) -> tuple[datetime, datetime]:
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise BadOptionError(option, text, "is neither a day nor a month", REMEDY)
    year, month, day = int(found[1]), int(found[2]), found[3]
    try:
        first = datetime(year, month, int(day or 1), tzinfo=UTC)
        last = first if day else datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)
        return first, last + timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadOptionError(option, text, "is not in the calendar", REMEDY) from None
