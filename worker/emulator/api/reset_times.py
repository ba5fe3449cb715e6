"""The forms in which a rate limiter may write the time of its reset. The vendor names the header, not the form."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Final

PAST_SECONDS: Final = 3_600.0
"""How far back a stamp of the kind `past` lies."""


class StampFormat(StrEnum):
    """One form of a point in time, UTC."""

    EPOCH_SECONDS = "epoch_seconds"
    """Whole seconds since 1970."""
    EPOCH_MILLISECONDS = "epoch_milliseconds"
    """Milliseconds since 1970."""
    ISO = "iso"
    """ISO 8601 with milliseconds and a Z."""
    ISO_NAIVE = "iso_naive"
    """ISO 8601 without a zone."""
    SPACED = "spaced"
    """`YYYY-MM-DD HH:MM:SS`, no zone."""
    HTTP_DATE = "http_date"
    """The date of RFC 9110."""
    PAST = "past"
    """A well-formed stamp that lies an hour back, as a clock out of step would give."""
    UNREADABLE = "unreadable"
    """Words instead of a time."""
    ABSENT = "absent"
    """No header at all."""


def stamp(kind: StampFormat, at: float) -> str | None:
    """`at` (epoch seconds) in the form `kind`, never earlier than `at`; None where there is to be no header."""
    match kind:
        case StampFormat.ABSENT:
            return None
        case StampFormat.UNREADABLE:
            return "in a little while"
        case StampFormat.PAST:
            return _iso(at - PAST_SECONDS)
        case StampFormat.ISO:
            return _iso(at)
        case StampFormat.EPOCH_MILLISECONDS:
            return str(math.ceil(at * 1_000))
        case _:
            return _whole_seconds(kind, math.ceil(at))


def _iso(at: float) -> str:
    milliseconds = math.ceil(at * 1_000)
    whole = datetime.fromtimestamp(milliseconds // 1_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1_000:03d}Z"


def _whole_seconds(kind: StampFormat, at: int) -> str:
    when = datetime.fromtimestamp(at, UTC)
    match kind:
        case StampFormat.ISO_NAIVE:
            return f"{when:%Y-%m-%dT%H:%M:%S}"
        case StampFormat.SPACED:
            return f"{when:%Y-%m-%d %H:%M:%S}"
        case StampFormat.HTTP_DATE:
            return format_datetime(when, usegmt=True)
        case _:
            return str(at)
