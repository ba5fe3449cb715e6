"""Reads the headers in which the API speaks of the account: cost, balance, request id, limits. Junk reads as None."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from worker.segmind.stamps import reset_stamp, retry_after

RESET_CAP: Final = timedelta(hours=1)
"""A pause asked for beyond this is not believed; the ordinary backoff asks again sooner."""

_AMOUNT: Final = re.compile(r"\$?\s?(-?[0-9]{1,12}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)")
_MAX_AMOUNT: Final = Decimal(10) ** 9


def amount(value: str | None) -> Decimal | None:
    """US dollars as an exact number."""
    found = _AMOUNT.fullmatch(value.strip()) if value else None
    if found is None:
        return None
    dollars = Decimal(found[1])
    return dollars if abs(dollars) < _MAX_AMOUNT else None


def cost(value: str | None) -> Decimal | None:
    """What a call cost: an amount that isn't negative."""
    dollars = amount(value)
    return dollars if dollars is not None and dollars >= 0 else None


def seconds(value: str | None) -> float | None:
    """A duration, as a plain number of seconds, perhaps with its unit."""
    figure = cost(value.strip().removesuffix("s")) if value else None
    return None if figure is None else float(figure)


def reset_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When the API will take requests again, by whichever header says so sensibly."""
    stamp = headers.get("x-rate-limit-reset-at-utc")
    if stamp and (at := reset_stamp(stamp, now, RESET_CAP)):
        return at
    wait = headers.get("retry-after")
    return retry_after(wait, now, RESET_CAP) if wait else None
