"""Money, models, voices and what holds the queue, as HTTP clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api_models.jobs import Amount

MAX_QUOTED: Final = 10_000


def _jobs_documented(schema: dict[str, Any]) -> None:
    schema["properties"]["jobs"]["items"] = {"$ref": "#/components/schemas/JobIn"}


class QuoteIn(BaseModel):
    """Texts that might be handed in."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_jobs_documented)

    jobs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_QUOTED)]


class QuotePart(BaseModel):
    """The texts of one model."""

    model: str
    texts: int
    calls: Annotated[int, Field(description="Texts that would have to be bought.")]
    cost: Amount


class Quote(BaseModel):
    """What texts would cost, by what the newest calls have cost."""

    texts: int
    calls: int
    cached: Annotated[int, Field(description="Texts whose audio is there already, or that say the same as another.")]
    cost: Amount
    parts: list[QuotePart]


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
    """One reason why jobs wait."""

    name: str
    code: str
    message: str
    since: datetime | None
    until: Annotated[datetime | None, Field(description="When it is looked at again, where that is known.")]


class HoldList(BaseModel):
    """Every reason why jobs wait, the heaviest first."""

    holds: list[HoldView]


class GateChange(BaseModel):
    """Open a gate, or close it by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closed: bool
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] = ""


class GateView(BaseModel):
    """One gate."""

    name: str
    closed: bool
    changed: bool


class CreditsView(BaseModel):
    """What an answer of the API last said is left in the account."""

    remaining: Amount | None
    seen_at: datetime | None


class SpendLine(BaseModel):
    """One line of the account."""

    key: str | None
    name: str | None
    calls: int
    paid: Amount
    estimated: Amount
    possibly_billed: int
    copies: int
    saved: Amount


class Spend(BaseModel):
    """What your calls have cost."""

    lines: list[SpendLine]
    paid: Amount
