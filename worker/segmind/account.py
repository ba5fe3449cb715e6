"""Reads the headers in which the API speaks of the account: cost, balance, request id, limits. Junk reads as None.

The one place where the API's figures are bounded: what leaves it fits every column that takes it.
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
"""A pause asked for beyond this is not believed; the ordinary backoff asks again sooner."""

_AMOUNT: Final = re.compile(r"\$?\s?(-?[0-9]{1,12}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)")
MAX_AMOUNT: Final = Decimal(9_000_000)
"""US dollars. A balance beyond it, either side of zero, counts as this much: a column holds little more."""
JUNK_FROM: Final = Decimal(10) ** 9
"""US dollars. A figure from here on is none at all."""
MAX_COST: Final = 1_000 * max(model.price for model in MODELS.values())
"""US dollars. No call costs a thousand times the dearest list price: a figure beyond it is taken for a mistake."""
MAX_SHOWN_CHARACTERS: Final = 60


def amount(value: str | None) -> Decimal | None:
    """US dollars as an exact number, within `MAX_AMOUNT`."""
    dollars = _number(value)
    return None if dollars is None else max(-MAX_AMOUNT, min(dollars, MAX_AMOUNT))


def cost(value: str | None) -> Decimal | None:
    """What a call cost: from nothing to `MAX_COST`. Any other figure says nothing of it."""
    return credible(_number(value))


def credible(dollars: Decimal | None) -> Decimal | None:
    """A cost as it may have been written down elsewhere, if it is one that a call can have."""
    return dollars if dollars is not None and dollars.is_finite() and 0 <= dollars <= MAX_COST else None


def disbelieved(value: str | None) -> str:
    """A cost that was named and says nothing, as it stood; else the empty string."""
    return "" if value is None or not value.strip() or cost(value) is not None else value[:MAX_SHOWN_CHARACTERS]


def seconds(value: str | None) -> float | None:
    """A duration, as a plain number of seconds, perhaps with its unit."""
    figure = amount(value.strip().removesuffix("s")) if value else None
    return None if figure is None or figure < 0 else float(figure)


def _number(value: str | None) -> Decimal | None:
    found = _AMOUNT.fullmatch(value.strip()) if value else None
    if found is None:
        return None
    dollars = Decimal(found[1])
    return dollars if abs(dollars) < JUNK_FROM else None


def reset_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When the API will take requests again, by whichever header says so sensibly."""
    stamp = headers.get("x-rate-limit-reset-at-utc")
    if stamp and (at := reset_stamp(stamp, now, RESET_CAP)):
        return at
    wait = headers.get("retry-after")
    return retry_after(wait, now, RESET_CAP) if wait else None
