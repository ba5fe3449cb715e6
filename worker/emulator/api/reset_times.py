"""Formats of a rate limit's reset time. The vendor documents the header, not its format."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Final

PAST_SECONDS: Final = 3_600.0
"""Age of a timestamp of the kind `past`."""


class StampFormat(StrEnum):
    EPOCH_SECONDS = "epoch_seconds"
    EPOCH_MILLISECONDS = "epoch_milliseconds"
    ISO = "iso"
    """ISO 8601 with milliseconds and a Z."""
    ISO_NAIVE = "iso_naive"
    """ISO 8601 without a time zone."""
    SPACED = "spaced"
    """`YYYY-MM-DD HH:MM:SS`, without a time zone."""
    HTTP_DATE = "http_date"
    """RFC 9110."""
    PAST = "past"
    """A valid time one hour ago, as from a clock that is behind."""
    UNREADABLE = "unreadable"
    """Not a time."""
    ABSENT = "absent"
    """No header."""


def stamp(kind: StampFormat, at: float) -> str | None:
    """Format `at` (epoch seconds), rounded up; None means no header."""
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
