"""Parses the account headers: cost, balance, request id, limits. Invalid values parse as None.

The only place that bounds the API's figures, so that they fit every database column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from worker.segmind.reset_times import reset_stamp, retry_after

RESET_CAP: Final = timedelta(hours=1)
"""A longer requested pause is ignored; the ordinary backoff retries sooner."""

_AMOUNT: Final = re.compile(r"\$?\s?(-?[0-9]{1,12}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)")
MAX_AMOUNT: Final = Decimal(9_000_000)
"""US dollars. Balances are clamped to this on either side of zero, because columns hold little more."""
JUNK_FROM: Final = Decimal(10) ** 9
"""US dollars. Larger figures are discarded."""
MAX_PRICES: Final = 1_000
"""No call costs a thousand times the highest list price; a larger figure is a mistake."""
MAX_SHOWN_CHARACTERS: Final = 60


def amount(value: str | None) -> Decimal | None:
    """US dollars, clamped to `MAX_AMOUNT`."""
    dollars = _number(value)
    return None if dollars is None else max(-MAX_AMOUNT, min(dollars, MAX_AMOUNT))


def cost(value: str | None) -> Decimal | None:
    """The cost of a call, from zero to `max_cost`; None for any other figure."""
    return credible(_number(value))


def credible(dollars: Decimal | None) -> Decimal | None:
    """The cost if it is plausible; None otherwise."""
    return dollars if dollars is not None and dollars.is_finite() and 0 <= dollars <= max_cost() else None


def max_cost() -> Decimal:
    """US dollars. Larger figures for one call are mistakes."""
    return MAX_PRICES * MODELS.dearest.price


def disbelieved(value: str | None) -> str:
    """An implausible cost as reported; otherwise the empty string."""
    return "" if value is None or not value.strip() or cost(value) is not None else value[:MAX_SHOWN_CHARACTERS]


def seconds(value: str | None) -> float | None:
    """A duration in seconds, with or without its unit."""
    figure = amount(value.strip().removesuffix("s")) if value else None
    return None if figure is None or figure < 0 else float(figure)


def _number(value: str | None) -> Decimal | None:
    found = _AMOUNT.fullmatch(value.strip()) if value else None
    if found is None:
        return None
    dollars = Decimal(found[1])
    return dollars if abs(dollars) < JUNK_FROM else None


def reset_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When the API accepts requests again, by the first header with a plausible value."""
    stamp = headers.get("x-rate-limit-reset-at-utc")
    if stamp and (at := reset_stamp(stamp, now, RESET_CAP)):
        return at
    wait = headers.get("retry-after")
    return retry_after(wait, now, RESET_CAP) if wait else None
