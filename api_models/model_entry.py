"""The rules for an entry of a models file, checked with a message for each fault."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api_models.hints import did_you_mean, quoted
from api_models.speech_model import JOB_FIELDS, Capability, Certainty, PriceUnit, StyleChannel, TagDialect

SLUG: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""Also safe in a path and in a statement; as long as the column."""
MAX_VOICES: Final = 2_000
PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$"
_STRICT: Final = ConfigDict(extra="forbid", frozen=True)

Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=24)]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN)]


class ParameterEntry(BaseModel):
    model_config = _STRICT

    name: Annotated[str | None, Field(pattern=_NAME)] = None
    minimum: Annotated[float | None, Field(ge=-1e6, le=1e6)] = None
    maximum: Annotated[float | None, Field(ge=-1e6, le=1e6)] = None
    default: float | None = None
    required: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> ParameterEntry:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise PydanticCustomError("parameter", "minimum is above maximum; exchange them")
        return self


class PriceEntry(BaseModel):
    model_config = _STRICT

    amount: Dollars
    unit: PriceUnit = PriceUnit.CALL
    input_amount: Dollars = Decimal(0)
    valid_from: date | None = None
    valid_until: date | None = None

    @model_validator(mode="after")
    def _consistent(self) -> PriceEntry:
        if self.valid_from is not None and self.valid_until is not None and self.valid_from > self.valid_until:
            raise PydanticCustomError("price", "valid_from lies after valid_until; exchange them")
        if self.input_amount and self.unit is not PriceUnit.MILLION_TOKENS:
            raise PydanticCustomError("price", 'input_amount belongs to unit = "million_tokens" alone; remove it')
        return self


class ModelEntry(BaseModel):
    """One model, its voices already looked up in the voice sets."""

    model_config = _STRICT

    title: Word
    api_versions: Annotated[tuple[Literal["v1", "v2"], ...], Field(min_length=1, max_length=2)] = ("v1", "v2")
    parameters: dict[str, ParameterEntry]
    constants: Annotated[dict[str, Any], Field(max_length=100)] = {}
    voices: Annotated[dict[Word, Annotated[str, Field(max_length=200, pattern=PLAIN)]], Field(max_length=MAX_VOICES)]
    default_voice: Word
    tags: TagDialect = TagDialect.NONE
    style: StyleChannel = StyleChannel.NONE
    max_speakers: Annotated[int, Field(ge=1, le=2)] = 1
    max_text_bytes: Annotated[int, Field(ge=1, le=32_768)]
    max_input_tokens: Annotated[int | None, Field(ge=1, le=10_000_000)] = None
    max_audio_seconds: Annotated[float | None, Field(ge=1, le=86_400)] = None
    tokens_per_second: Annotated[Decimal, Field(gt=0, le=10_000)] = Decimal(32)
    mean_seconds: Annotated[float, Field(gt=0, le=3_600)] = 10.0
    prices: Annotated[tuple[PriceEntry, ...], Field(min_length=1, max_length=100)]
    capabilities: tuple[Capability, ...] = ()
    successor: Annotated[str | None, Field(pattern=SLUG)] = None
    sunset: date | None = None
    certainty: dict[str, Certainty] = {}

    @field_validator("parameters")
    @classmethod
    def _fields_of_jobs(cls, value: dict[str, ParameterEntry]) -> dict[str, ParameterEntry]:
        for name in value:
            if name not in JOB_FIELDS:
                raise PydanticCustomError(
                    "parameters",
                    "{name} is not a field of a job{hint} (fields: {known}); "
                    "write parameters that are the same for every call under constants",
                    {"name": quoted(name), "hint": did_you_mean(name, JOB_FIELDS), "known": ", ".join(JOB_FIELDS)},
                )
        if any(entry.required and entry.default is None and name != "voice_1" for name, entry in value.items()):
            raise PydanticCustomError("parameters", "is required without a default; add default = NUMBER")
        if "text" not in value:
            raise PydanticCustomError("parameters", "has no entry for text; add text = {}")
        sent = [entry.name or name for name, entry in value.items()]
        if twice := next((name for name in sent if sent.count(name) > 1), None):
            raise PydanticCustomError("parameters", "uses the name {name} twice", {"name": quoted(twice)})
        return value

    @field_validator("constants")
    @classmethod
    def _plain_values(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        sent = {entry.name or name for name, entry in (info.data.get("parameters") or {}).items()}
        for name, constant in value.items():
            if name in sent:
                raise PydanticCustomError(
                    "constants", "{name} is a parameter already; remove one of them", {"name": quoted(name)}
                )
            if not _is_json(constant):
                raise PydanticCustomError(
                    "constants", "{name} must be text, a number, true or false, or a list of these", {"name": name}
                )
        return value

    @field_validator("default_voice")
    @classmethod
    def _has_it(cls, value: str, info: ValidationInfo) -> str:
        voices = info.data.get("voices")
        if voices is not None and value not in voices:
            raise PydanticCustomError(
                "default_voice",
                "no voice {name} among the model's{hint}",
                {"name": quoted(value), "hint": did_you_mean(value, voices)},
            )
        return value

    @field_validator("certainty")
    @classmethod
    def _of_facts(cls, value: dict[str, Certainty]) -> dict[str, Certainty]:
        facts = sorted(set(cls.model_fields) - {"certainty"})
        for name in value:
            if name not in facts:
                raise PydanticCustomError(
                    "certainty",
                    "{name} is not a fact of a model{hint}",
                    {"name": quoted(name), "hint": did_you_mean(name, facts)},
                )
        return value

    @model_validator(mode="after")
    def _speakers(self) -> ModelEntry:
        if ("voice_2" in self.parameters) != (self.max_speakers == 2):
            raise PydanticCustomError(
                "max_speakers", "must be 2 with a parameter voice_2, and 1 without; correct one of them"
            )
        return self

    @field_validator("prices")
    @classmethod
    def _one_price_a_day(cls, value: tuple[PriceEntry, ...]) -> tuple[PriceEntry, ...]:
        rows = sorted(value, key=lambda row: row.valid_from or date.min)
        for earlier, later in pairwise(rows):
            if (earlier.valid_until or date.max) >= (later.valid_from or date.min):
                raise PydanticCustomError(
                    "prices",
                    "two rows apply on {day}; end one with valid_until on the day before the other's valid_from",
                    {"day": str(later.valid_from or "every day")},
                )
        return value


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | int | bool) or (isinstance(value, float | Decimal) and Decimal(value).is_finite())
