"""Amounts, numbers, durations and moments as people read them. Pure; machines get theirs from `reckoning`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from worker.cli.console.errors import BadOptionError

REMEDY: Final = "give US dollars, such as 2.50"
MAX_DOLLARS: Final = Decimal(1_000_000)
FINEST: Final = Decimal(10) ** -12
"""The store counts in picodollars."""


def dollars(option: str, text: str) -> Decimal:
    """US dollars above 0, with a $ in front or not.

    Raises:
        BadOptionError: it is none; said with what would be one.
    """
    bare = text.strip().removeprefix("$").strip()
    try:
        found = Decimal(bare)
    except InvalidOperation:
        remedy = "write the cents after a point, without thousands' separators: 1250.50" if "," in bare else REMEDY
        raise BadOptionError(option, text, "is not an amount of money", remedy) from None
    if not found.is_finite():
        raise BadOptionError(option, text, "is not an amount of money", REMEDY)
    if found <= 0:
        raise BadOptionError(option, text, "is not above 0", f"{REMEDY}; `ttsq gates close account` holds everything")
    if found > MAX_DOLLARS:
        raise BadOptionError(option, text, f"is over ${MAX_DOLLARS:,}", REMEDY)
    if found != found.quantize(FINEST):
        raise BadOptionError(option, text, "is finer than a picodollar", REMEDY)
    return found


MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
LEAST_DIGITS: Final = 4
"""Behind the point of an amount, for people."""
SHORT_BATCH_CHARACTERS: Final = 13
"""Of an id: the part that tells the millisecond it was made in, which no two batches of one person share."""


def money(amount: Decimal) -> str:
    """US dollars to a hundredth of a cent, which is finer than any one call costs."""
    return f"${amount:,.4f}" if amount else "$0"


def exact(amounts: Sequence[Decimal]) -> list[str]:
    """US dollars to the last digit that any of them has, so that they stand in line below each other."""
    digits = max((_digits(amount) for amount in amounts), default=LEAST_DIGITS)
    return [f"${amount:,.{digits}f}" for amount in amounts]


def number(count: int, noun: str) -> str:
    """`1 text`, `1,200 texts`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Two units at most: nobody plans by the seconds of an hour."""
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
    """A time on the reader's own clock; the day and the year are named only where they are other ones."""
    local, today = at.astimezone(), now.astimezone()
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%d %b %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d}"


def short(batch_id: object) -> str:
    """Enough of a batch's id to name it by."""
    return str(batch_id)[:SHORT_BATCH_CHARACTERS]


def one_line(text: str) -> str:
    """Text of any shape on one line."""
    return " ".join(text.split())


def cut(text: str, characters: int) -> str:
    """At most so many characters, the loss marked."""
    line = one_line(text)
    return line if len(line) <= characters else line[: characters - 1] + "…"


def _digits(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(LEAST_DIGITS, -exponent if isinstance(exponent, int) else 0)


def _two(whole: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = whole % big // small
    return f"{whole // big} {big_name} {rest} {small_name}" if rest else f"{whole // big} {big_name}"
