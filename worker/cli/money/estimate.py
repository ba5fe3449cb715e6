"""What calls will cost and how long they will take, from what is known before. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from worker.store.money.pricing import Seen

ENOUGH_TEXTS: Final = 20
"""From so many spoken texts on, what they cost says more than the published average."""
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Need:
    """One text, and whether it has to be bought."""

    model: str
    characters: int
    buy: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """What is expected of one call of a model."""

    price: Decimal
    seconds: float
    texts: int | None
    """So many spoken texts taught it; None where the registry stands in."""


@dataclass(frozen=True, slots=True)
class Part:
    """The texts of one model."""

    model: str
    texts: int
    calls: int
    characters: int
    """Of the texts that are to be bought."""
    basis: Basis

    @property
    def copies(self) -> int:
        """Texts whose audio is there already."""
        return self.texts - self.calls

    @property
    def cost(self) -> Decimal:
        """US dollars."""
        return self.basis.price * self.calls


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast calls can be made; None where nothing is known to limit them."""

    rpm: float | None
    slots: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """All of an input."""

    parts: tuple[Part, ...]
    speed: Speed

    @property
    def texts(self) -> int:
        """Lines of the input."""
        return sum(part.texts for part in self.parts)

    @property
    def calls(self) -> int:
        """Texts that are to be bought."""
        return sum(part.calls for part in self.parts)

    @property
    def copies(self) -> int:
        """Texts whose audio is there already."""
        return sum(part.copies for part in self.parts)

    @property
    def characters(self) -> int:
        """Of the texts that are to be bought."""
        return sum(part.characters for part in self.parts)

    @property
    def cost(self) -> Decimal:
        """US dollars."""
        return sum((part.cost for part in self.parts), ZERO)

    @property
    def seconds(self) -> float:
        """Until the last text is spoken, if all goes well."""
        if not self.calls:
            return 0.0
        work = sum(part.calls * part.basis.seconds for part in self.parts)
        longest = max(part.basis.seconds for part in self.parts if part.calls)
        rounds = math.ceil(self.calls / self.speed.slots) if self.speed.slots else 1
        in_slots = max(longest, rounds * work / self.calls)
        paced = longest + (self.calls - 1) * 60 / self.speed.rpm if self.speed.rpm else 0.0
        return max(in_slots, paced)

    def calls_for(self, dollars: Decimal) -> int:
        """About how many of the calls so much money pays for."""
        if dollars >= self.cost or not self.cost:
            return self.calls
        return max(0, int(dollars / self.cost * self.calls))


def basis(model: str, seen: Seen | None) -> Basis:
    """By what was seen of the model, if that is enough; by the registry otherwise."""
    if seen is not None and seen.texts >= ENOUGH_TEXTS:
        return Basis(seen.cost, seen.seconds, seen.texts)
    known = MODELS[model]
    return Basis(known.price, known.mean_seconds, None)


def estimate(needs: Iterable[Need], bases: dict[str, Basis], speed: Speed) -> Estimate:
    """Add up by model, in the registry's order."""
    texts, calls, characters = Counter[str](), Counter[str](), Counter[str]()
    for need in needs:
        texts[need.model] += 1
        if need.buy:
            calls[need.model] += 1
            characters[need.model] += need.characters
    ordered = sorted(texts, key=list(MODELS).index)
    parts = (Part(model, texts[model], calls[model], characters[model], bases[model]) for model in ordered)
    return Estimate(tuple(parts), speed)
