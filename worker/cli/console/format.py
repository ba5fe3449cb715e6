"""Amounts, numbers, durations and times for people. Pure; the formats for JSON are in `worker.cli.snapshot`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from worker.cli.console.errors import BadOptionError

REMEDY: Final = "write US dollars, such as 2.50"
MAX_DOLLARS: Final = Decimal(1_000_000)
FINEST: Final = Decimal(10) ** -12
"""The store counts in picodollars."""


def dollars(option: str, text: str) -> Decimal:
    """Parse a positive amount of US dollars, with an optional `$`. Raises BadOptionError."""
    bare = text.strip().removeprefix("$").strip()
    try:
        found = Decimal(bare)
    except InvalidOperation:
        remedy = "use a decimal point and no thousands separators: 1250.50" if "," in bare else REMEDY
        raise BadOptionError(option, text, "is not an amount of money", remedy) from None
    if not found.is_finite():
        raise BadOptionError(option, text, "is not an amount of money", REMEDY)
    if found <= 0:
        raise BadOptionError(option, text, "is not above 0", f"{REMEDY}; `ttsq gates close account` holds all jobs")
    if found > MAX_DOLLARS:
        raise BadOptionError(option, text, f"exceeds ${MAX_DOLLARS:,}", REMEDY)
    if found != found.quantize(FINEST):
        raise BadOptionError(option, text, "is finer than a picodollar", REMEDY)
    return found


MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
MIN_DIGITS: Final = 4
"""Decimal places of an amount."""
SHORT_BATCH_CHARACTERS: Final = 13
"""The part of a UUIDv7 that encodes its creation time in milliseconds."""


def money(amount: Decimal) -> str:
    """Format US dollars to a hundredth of a cent, finer than the price of any call."""
    return f"${amount:,.4f}" if amount else "$0"


def exact(amounts: Sequence[Decimal]) -> list[str]:
    """Format US dollars with the digits of the most precise amount, so that a column lines up."""
    digits = max((_digits(amount) for amount in amounts), default=MIN_DIGITS)
    return [f"${amount:,.{digits}f}" for amount in amounts]


def number(count: int, noun: str) -> str:
    """`1 text`, `1,200 texts`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Format with at most two units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two(whole, MINUTE, "min", 1, "s")
    if whole < DAY:
        return _two(whole, HOUR, "h", MINUTE, "min")
    return _two(whole, DAY, "d", HOUR, "h")


def moment(at: datetime, now: datetime) -> str:
    """Format a local time; the date and the year are shown only if they differ from `now`."""
    local, today = at.astimezone(), now.astimezone()
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%d %b %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d}"


def short(batch_id: object) -> str:
    return str(batch_id)[:SHORT_BATCH_CHARACTERS]


def one_line(text: str) -> str:
    return " ".join(text.split())


def cut(text: str, characters: int) -> str:
    """Truncate to `characters`, ending in an ellipsis."""
    line = one_line(text)
    return line if len(line) <= characters else line[: characters - 1] + "…"


def _digits(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(MIN_DIGITS, -exponent if isinstance(exponent, int) else 0)


def _two(whole: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = whole % big // small
    return f"{whole // big} {big_name} {rest} {small_name}" if rest else f"{whole // big} {big_name}"
