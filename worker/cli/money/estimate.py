"""Estimate cost and duration of calls. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from api_models.speech_model import Price
from worker.store.money.pricing import Seen

ENOUGH_TEXTS: Final = 20
"""Observed cost replaces the published average from this many spoken texts."""
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Need:
    model: str
    characters: int
    buy: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """Expected price and duration of one call of a model."""

    price: Decimal
    seconds: float
    texts: int | None
    """Number of observed texts; None for registry values."""
    listed: Price | None = None
    """The list price, if that is what a call is expected to cost."""


NO_BASIS: Final = Basis(ZERO, 10.0, None)
"""For a model that was in the registry when its jobs were submitted."""


@dataclass(frozen=True, slots=True)
class Part:
    model: str
    texts: int
    calls: int
    characters: int
    """Of the texts to buy."""
    basis: Basis

    @property
    def copies(self) -> int:
        return self.texts - self.calls

    @property
    def cost(self) -> Decimal:
        if self.basis.listed is None:
            return self.basis.price * self.calls
        return self.basis.listed.of(self.characters, self.calls)


@dataclass(frozen=True, slots=True)
class Speed:
    """Limits on throughput; None if unknown or unlimited."""

    rpm: float | None
    slots: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    parts: tuple[Part, ...]
    speed: Speed

    @property
    def texts(self) -> int:
        return sum(part.texts for part in self.parts)

    @property
    def calls(self) -> int:
        return sum(part.calls for part in self.parts)

    @property
    def copies(self) -> int:
        return sum(part.copies for part in self.parts)

    @property
    def characters(self) -> int:
        return sum(part.characters for part in self.parts)

    @property
    def cost(self) -> Decimal:
        return sum((part.cost for part in self.parts), ZERO)

    @property
    def seconds(self) -> float:
        """Seconds until the last text is spoken, without errors or holds."""
        if not self.calls:
            return 0.0
        work = sum(part.calls * part.basis.seconds for part in self.parts)
        longest = max(part.basis.seconds for part in self.parts if part.calls)
        rounds = math.ceil(self.calls / self.speed.slots) if self.speed.slots else 1
        in_slots = max(longest, rounds * work / self.calls)
        paced = longest + (self.calls - 1) * 60 / self.speed.rpm if self.speed.rpm else 0.0
        return max(in_slots, paced)

    def calls_for(self, dollars: Decimal) -> int:
        """Estimated number of calls that `dollars` covers."""
        if dollars >= self.cost or not self.cost:
            return self.calls
        return max(0, int(dollars / self.cost * self.calls))


def basis(model: str, seen: Seen | None) -> Basis:
    """Use observed prices if there are enough, else the registry's."""
    if seen is not None and seen.texts >= ENOUGH_TEXTS:
        return Basis(seen.cost, seen.seconds, seen.texts)
    known = MODELS[model]
    return Basis(known.price, known.mean_seconds, None, known.price_today)


def estimate(needs: Iterable[Need], bases: dict[str, Basis], speed: Speed) -> Estimate:
    """Sum up by model, in the registry's order."""
    texts, calls, characters = Counter[str](), Counter[str](), Counter[str]()
    for need in needs:
        texts[need.model] += 1
        if need.buy:
            calls[need.model] += 1
            characters[need.model] += need.characters
    place = {model: number for number, model in enumerate(MODELS)}
    ordered = sorted(texts, key=lambda model: place.get(model, len(place)))
    parts = (
        Part(model, texts[model], calls[model], characters[model], bases.get(model, NO_BASIS)) for model in ordered
    )
    return Estimate(tuple(parts), speed)
