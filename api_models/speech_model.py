"""One text-to-speech model: what it accepts, costs and limits, and how sure each fact is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final

ZERO: Final = Decimal(0)
MILLION: Final = Decimal(1_000_000)
CHARACTERS_PER_SECOND: Final = 15
"""Of English speech; converts prices per minute or token."""
CHARACTERS_PER_TOKEN: Final = 4
DECIMAL_PLACES: Final = 12
"""Of US dollars, as the ledger keeps them."""
TYPICAL_CHARACTERS: Final = 300
"""Of one text, where a price grows with the text and the text is not known."""
DEFAULT_TOKENS_PER_SECOND: Final = Decimal(32)

JOB_FIELDS: Final = ("text", "voice_1", "voice_2", "temperature")
"""Fields of a job that a model's parameters can carry."""


class TagDialect(StrEnum):
    """How inline tags are written."""

    SQUARE = "square"  # [sigh]
    ANGLE = "angle"  # <sigh>
    NONE = "none"  # tags may be read aloud


class StyleChannel(StrEnum):
    """How a style reaches the model."""

    PREFIX = "prefix"  # before the text, in natural language
    FIELD = "field"  # in a parameter of its own
    NONE = "none"


class Certainty(StrEnum):
    """Where a fact is from."""

    PUBLISHED = "published"  # on the vendor's pages
    REPORTED = "reported"  # by third parties or client code
    ASSUMED = "assumed"  # unknown or contradictory; a safe choice


class PriceUnit(StrEnum):
    """What the amount of a price row is for."""

    CALL = "call"
    MILLION_CHARACTERS = "million_characters"
    MILLION_TOKENS = "million_tokens"  # of audio; `input_amount` is for tokens of text
    MINUTE = "minute"  # of audio


class Capability(StrEnum):
    """What a model can do beyond plain speech."""

    BATCH = "batch"
    CLONING = "cloning"
    FLEX = "flex"
    IPA = "ipa"
    SEED = "seed"
    STREAM = "stream"
    TIMESTAMPS = "timestamps"


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one field of a job is sent."""

    name: str
    """The API's name for the field."""
    minimum: float | None = None
    maximum: float | None = None
    default: float | None = None
    """What the API uses if the field is absent."""
    required: bool = False
    """Whether the default is sent where a job sets nothing; for voice_1, the default voice."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price and the days on which it applies, in UTC."""

    amount: Decimal
    """US dollars per unit."""
    unit: PriceUnit = PriceUnit.CALL
    input_amount: Decimal = ZERO
    """US dollars per million tokens of text; only for `million_tokens`."""
    valid_from: date | None = None
    valid_until: date | None = None
    """The last day, included."""

    def applies(self, day: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_until is None or day <= self.valid_until)

    @property
    def per_call(self) -> Decimal:
        return self.amount if self.unit is PriceUnit.CALL else ZERO

    def per_character(self, tokens_per_second: Decimal) -> Decimal:
        match self.unit:
            case PriceUnit.CALL:
                return ZERO
            case PriceUnit.MILLION_CHARACTERS:
                return self.amount / MILLION
            case PriceUnit.MINUTE:
                return self.amount / (60 * CHARACTERS_PER_SECOND)
            case PriceUnit.MILLION_TOKENS:
                spoken = self.amount * tokens_per_second / CHARACTERS_PER_SECOND
                return (spoken + self.input_amount / CHARACTERS_PER_TOKEN) / MILLION


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs: a fixed amount and one for each character."""

    per_call: Decimal
    per_character: Decimal = ZERO

    def of(self, characters: int, calls: int = 1) -> Decimal:
        """US dollars of `calls` with `characters` in all, to the picodollar."""
        if not self.per_character:
            return self.per_call * calls
        return round(self.per_call * calls + self.per_character * characters, DECIMAL_PLACES).normalize()


@dataclass(frozen=True)
class SpeechModel:
    """An entry of the registry."""

    slug: str
    """Last segment of the endpoint's path."""
    title: str
    api_versions: tuple[str, ...]
    """`v1`, `v2` or both; the first is used where the settings' version is not among them."""
    parameters: Mapping[str, Parameter]
    """By field of a job. A field without an entry can't be set."""
    constants: Mapping[str, object]
    """Parameters sent with every call."""
    default_voice: str
    """The voice if none is set."""
    descriptors: Mapping[str, str]
    """Voices and what each is like."""
    tags: TagDialect
    style: StyleChannel
    max_speakers: int
    max_text_bytes: int
    """UTF-8 bytes of text per request."""
    prices: tuple[PriceRow, ...]
    mean_seconds: float
    """Average seconds per call, as published; used until calls were observed."""
    max_input_tokens: int | None = None
    max_audio_seconds: float | None = None
    tokens_per_second: Decimal = DEFAULT_TOKENS_PER_SECOND
    """Tokens of one second of audio."""
    capabilities: tuple[Capability, ...] = ()
    successor: str | None = None
    sunset: date | None = None
    """The last day on which the vendor serves the model."""
    certainty: Mapping[str, Certainty] = field(default_factory=lambda: MappingProxyType({}))
    """By fact; a fact without an entry is published."""

    @cached_property
    def voices(self) -> tuple[str, ...]:
        """Valid values of `voice_1` and `voice_2`."""
        return tuple(self.descriptors)

    def version(self, preferred: str) -> str:
        """The API version to call the model by."""
        return preferred if preferred in self.api_versions else self.api_versions[0]

    def voice_named(self, name: str) -> str | None:
        """The voice of a name in any case."""
        return name if name in self.descriptors else self._folded_voices.get(name.strip().casefold())

    @cached_property
    def _folded_voices(self) -> dict[str, str]:
        return {voice.casefold(): voice for voice in self.descriptors}

    @property
    def understands_tags(self) -> bool:
        """Whether inline tags control the voice; other models may read them aloud."""
        return self.tags is not TagDialect.NONE

    @property
    def temperature_range(self) -> tuple[float, float] | None:
        """None if the model takes no temperature."""
        known = self.parameters.get("temperature")
        if known is None:
            return None
        return (
            0.0 if known.minimum is None else known.minimum,
            2.0 if known.maximum is None else known.maximum,
        )

    def price_row(self, day: date) -> PriceRow:
        """The row of the day. Without one: the last row that ended before it, else the first that begins after it."""
        rows = [row for row in self.prices if row.applies(day)]
        if rows:
            return rows[-1]
        ended = [row for row in self.prices if row.valid_until is not None and row.valid_until < day]
        if ended:
            return max(ended, key=lambda row: row.valid_until or day)
        return min(self.prices, key=lambda row: row.valid_from or day)

    def price_on(self, day: date) -> Price:
        row = self.price_row(day)
        return Price(row.per_call, row.per_character(self.tokens_per_second))

    @property
    def price_today(self) -> Price:
        if len(self.prices) == 1:  # the row of every day; a million texts ask
            return self._only_price
        return self.price_on(today())

    @cached_property
    def _only_price(self) -> Price:
        return self.price_on(date.min)

    @property
    def price(self) -> Decimal:
        """US dollars of a call with a typical text, today. Used only if a response has no cost."""
        return self.price_today.of(TYPICAL_CHARACTERS)

    def price_ends(self, day: date) -> date | None:
        """The last day with a price row, if there is one; None if a row applies without end."""
        ends = [row.valid_until for row in self.prices if row.valid_until is None or row.valid_until >= day]
        return None if not ends or None in ends else max(end for end in ends if end)

    def body(self, values: Mapping[str, str | float | None]) -> dict[str, object]:
        """The body of a call; `values` are by field of a job, None for what is not set."""
        sent: dict[str, object] = {}
        for name, parameter in self.parameters.items():
            value = values.get(name)
            if value is None and parameter.required:
                value = self._defaults(name)
            if value is not None:
                sent[parameter.name] = value
        return sent | dict(self.constants)

    def _defaults(self, name: str) -> str | float | None:
        return self.default_voice if name == "voice_1" else self.parameters[name].default

    @cached_property
    def content_name(self) -> str:
        """The model's part of a fingerprint: other constants make other audio."""
        required = {name: self._defaults(name) for name, known in self.parameters.items() if known.required}
        if not self.constants and not required:
            return self.slug
        written = json.dumps([dict(self.constants), required], sort_keys=True)
        return f"{self.slug}#{hashlib.sha256(written.encode()).hexdigest()[:16]}"


def today() -> date:
    return datetime.now(UTC).date()
