"""Parses the times that the API names, in any likely format. Never raises, and ignores implausible ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_MILLISECONDS_FROM: Final = 1e11
"""Larger epoch numbers are milliseconds: as seconds they would be after the year 5000."""
_MICROSECONDS_FROM: Final = 1e14


def reset_stamp(value: str, now: datetime, cap: timedelta) -> datetime | None:
    """Parse `value` to UTC; None if it is invalid, has passed, or is later than `cap` from now.

    Accepts epoch seconds and milliseconds, ISO 8601 and `YYYY-MM-DD HH:MM:SS` with or without a zone (default UTC),
    and
    HTTP dates. The vendor documents the header but not its format.
    """
    text = value.strip()
    try:
        stamp = _epoch(float(text)) if _NUMBER.fullmatch(text) else _utc(_date(text))
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return _sane(stamp, now, cap)


def retry_after(value: str, now: datetime, cap: timedelta) -> datetime | None:
    """Parse a `Retry-After`: seconds from now, or a date."""
    text = value.strip()
    if not _NUMBER.fullmatch(text):
        return reset_stamp(text, now, cap)
    try:
        return _sane(now.astimezone(UTC) + timedelta(seconds=float(text)), now, cap)
    except OverflowError:
        return None


def _sane(stamp: datetime, now: datetime, cap: timedelta) -> datetime | None:
    return stamp if timedelta(0) < stamp - now <= cap else None


def _epoch(number: float) -> datetime:
    if number >= _MICROSECONDS_FROM:
        number /= 1e6
    elif number >= _MILLISECONDS_FROM:
        number /= 1e3
    return datetime.fromtimestamp(number, UTC)


def _date(text: str) -> datetime:
    plain = re.sub(r"\s*\b(?:UTC|GMT)$", "Z", text)
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        return parsedate_to_datetime(text)


def _utc(stamp: datetime) -> datetime:
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)
