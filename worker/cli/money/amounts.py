"""Amounts of money as people type them. Pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from worker.cli.talk.errors import BadOptionError

REMEDY: Final = "give US dollars, such as 2.50"
MOST_DOLLARS: Final = Decimal(1_000_000)
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
    if found > MOST_DOLLARS:
        raise BadOptionError(option, text, f"is over ${MOST_DOLLARS:,}", REMEDY)
    if found != found.quantize(FINEST):
        raise BadOptionError(option, text, "is finer than a picodollar", REMEDY)
    return found
