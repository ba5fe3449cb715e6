"""Costs, models, voices and holds, as HTTP clients see them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api_models.jobs import Amount
from api_models.speech_model import TagDialect

MAX_QUOTED: Final = 10_000


def _jobs_documented(schema: dict[str, Any]) -> None:
    schema["properties"]["jobs"]["items"] = {"$ref": "#/components/schemas/JobIn"}


class QuoteIn(BaseModel):
    """Texts to estimate."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_jobs_documented)

    jobs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_QUOTED)]


class QuotePart(BaseModel):
    """The texts of one model."""

    model: str
    texts: int
    calls: Annotated[int, Field(description="Texts that would be bought.")]
    cost: Amount


class Quote(BaseModel):
    """The estimated cost of texts, based on recent calls."""

    texts: int
    calls: int
    cached: Annotated[int, Field(description="Texts that are already bought, or that repeat another text.")]
    cost: Amount
    parts: list[QuotePart]
    warnings: Annotated[list[str], Field(description="Texts whose markup may be read aloud.")]


class ModelView(BaseModel):
    """One model."""

    slug: str
    title: str
    default_voice: str
    voices: list[str]
    price: Amount
    mean_seconds: float
    max_text_bytes: int
    understands_tags: bool
    tags: Annotated[TagDialect, Field(description="How inline tags are written: [sigh], <sigh>, or none.")]
    max_speakers: int
    successor: Annotated[str | None, Field(description="The model to change to.")]
    sunset: Annotated[date | None, Field(description="The last day of service.")]


class ModelList(BaseModel):
    """All models."""

    models: list[ModelView]


class VoiceView(BaseModel):
    """One voice."""

    name: str
    character: str
    models: list[str]


class VoiceList(BaseModel):
    """All voices."""

    voices: list[VoiceView]


class HoldView(BaseModel):
    """One reason why jobs are held."""

    name: str
    code: str
    message: str
    since: datetime | None
    until: Annotated[datetime | None, Field(description="Time of the next check, if known.")]


class HoldList(BaseModel):
    """Every reason why jobs are held, the most severe first."""

    holds: list[HoldView]


class GateChange(BaseModel):
    """Open or close a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closed: bool
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] = ""


class GateView(BaseModel):
    """One gate."""

    name: str
    closed: bool
    changed: bool


class CreditsView(BaseModel):
    """The account's balance in the API's latest response."""

    remaining: Amount | None
    seen_at: datetime | None


class SpendLine(BaseModel):
    """One line of the spend report."""

    key: str | None
    name: str | None
    calls: int
    paid: Amount
    estimated: Amount
    possibly_billed: int
    copies: int
    saved: Amount
    suspected: Annotated[Amount, Field(description="Paid for takes that were suspicious and bought again.")]


class Spend(BaseModel):
    """The cost of your calls."""

    lines: list[SpendLine]
    paid: Amount
