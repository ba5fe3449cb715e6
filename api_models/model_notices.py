"""What an operator should know of models ahead of time: an end of service, a price that ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from api_models.speech_model import SpeechModel

SUNSET_DAYS: Final = 90
"""How long before a model's last day a notice begins."""
PRICE_DAYS: Final = 14
"""How long before the last day of the last price row a notice begins."""


class NoticeKind(StrEnum):
    SUNSET_PASSED = "sunset_passed"
    SUNSET_NEAR = "sunset_near"
    PRICE_MISSING = "price_missing"
    PRICE_ENDS = "price_ends"


@dataclass(frozen=True, slots=True)
class Notice:
    slug: str
    kind: NoticeKind
    days: int
    """Until the last day; negative after it."""
    message: str
    remedy: str


def notices(models: Iterable[SpeechModel], day: date) -> list[Notice]:
    """The notices of a day in UTC, in the order of the models."""
    return [notice for model in models for notice in (*_of_sunset(model, day), *_of_price(model, day))]


def sunset_days(model: SpeechModel, day: date) -> int | None:
    """Days until a model's last day, negative after it; None without one."""
    return None if model.sunset is None else (model.sunset - day).days


def price_days(model: SpeechModel, day: date) -> int | None:
    """Days until the last price row ends, negative without a row for the day; None for a row without end."""
    if not any(row.applies(day) for row in model.prices):
        return -1
    last = model.price_ends(day)
    return None if last is None else (last - day).days


def _of_sunset(model: SpeechModel, day: date) -> Iterator[Notice]:
    days = sunset_days(model, day)
    if days is None or days > SUNSET_DAYS:
        return
    remedy = f"change to {model.successor}" if model.successor else "change to another model; `ttsq models list`"
    if days < 0:
        yield Notice(model.slug, NoticeKind.SUNSET_PASSED, days, f"{model.slug} ended on {model.sunset}", remedy)
    else:
        left = "today" if not days else f"in {days} day{'s' * (days != 1)}"
        yield Notice(model.slug, NoticeKind.SUNSET_NEAR, days, f"{model.slug} ends {left}, on {model.sunset}", remedy)


def _of_price(model: SpeechModel, day: date) -> Iterator[Notice]:
    days = price_days(model, day)
    if days is None or days > PRICE_DAYS:
        return
    remedy = "add a price row to the file of TTSQ_MODELS"
    if days < 0:
        message = f"{model.slug} has no price row for {day}; quotes use the nearest row"
        yield Notice(model.slug, NoticeKind.PRICE_MISSING, days, message, remedy)
    else:
        message = f"the last price row of {model.slug} ends on {model.price_ends(day)}"
        yield Notice(model.slug, NoticeKind.PRICE_ENDS, days, message, remedy)
