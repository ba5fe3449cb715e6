"""Requests and responses in OpenAI's shapes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api_models.formats import DeliveryFormat
from api_models.hints import did_you_mean, quoted
from api_models.values import LONGEST_SPAN_SECONDS, OptionalNumber

SPEED_RANGE: Final = (0.5, 2.0)
"""OpenAI allows 0.25 to 4; beyond a factor of two, stretched speech is no longer clear."""
MAX_INSTRUCTION_CHARACTERS: Final = 4_096
_REQUIRED: Final = frozenset({"input", "model", "voice"})


class SpeechIn(BaseModel):
    """The body of `POST /audio/speech`. Optional fields may be null, as many automation tools send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Annotated[str, Field(strict=True)]
    model: Annotated[str, Field(strict=True, min_length=1)]
    voice: str
    """A name, or an object with the name as its `id`."""
    instructions: Annotated[str, Field(strict=True, max_length=MAX_INSTRUCTION_CHARACTERS)] = ""
    response_format: DeliveryFormat = DeliveryFormat.MP3
    speed: Annotated[float, Field(strict=True)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    temperature: OptionalNumber = None
    """Not OpenAI's: expressiveness, as for a job."""
    variant: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    """Not OpenAI's: another take of the same text, as for a job."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        if not isinstance(value, dict):
            return value
        return {name: item for name, item in value.items() if item is not None or name in _REQUIRED}

    @field_validator("voice", mode="before")
    @classmethod
    def _name_of_voice(cls, value: object) -> object:
        name = value.get("id") if isinstance(value, dict) and value.keys() == {"id"} else value
        if not isinstance(name, str) or not name.strip():
            raise PydanticCustomError("voice", 'must be a name, or an object such as {"id": "alloy"}')
        return name

    @field_validator("response_format", mode="before")
    @classmethod
    def _known_format(cls, value: object) -> object:
        if not isinstance(value, str) or value not in tuple(DeliveryFormat):
            raise PydanticCustomError(
                "format",
                "no format {name}{hint} (known: {known})",
                {
                    "name": quoted(value),
                    "hint": did_you_mean(value, DeliveryFormat) if isinstance(value, str) else "",
                    "known": ", ".join(DeliveryFormat),
                },
            )
        return DeliveryFormat(value)

    @field_validator("speed")
    @classmethod
    def _reachable(cls, value: float) -> float:
        low, high = SPEED_RANGE
        if not low <= value <= high:  # also refuses NaN
            raise PydanticCustomError(
                "speed",
                "{value} is outside this gateway's limits of {low} to {high}",
                {"value": f"{value:g}", "low": f"{low:g}", "high": f"{high:g}"},
            )
        return value


SPEECH_ENDPOINT: Final = "/v1/audio/speech"
WINDOWS: Final = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
"""`completion_window`: OpenAI has only 24h."""


class OutputExpiry(BaseModel):
    """How long audio is kept after its job has finished."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(strict=True, ge=3_600, le=LONGEST_SPAN_SECONDS)]


class SpeechBatchIn(BaseModel):
    """The body of `POST /batches`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_file_id: Annotated[str, Field(strict=True)]
    endpoint: Literal["/v1/audio/speech"]
    completion_window: Literal["1h", "24h", "7d"]
    metadata: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None, Field(max_length=16)
    ] = None
    output_expires_after: OutputExpiry | None = None
    max_cost: Annotated[Decimal | None, Field(ge=0, le=1_000_000, decimal_places=12)] = None
    """Not OpenAI's: what the batch may cost, in US dollars."""


class BatchLine(BaseModel):
    """One line of a file of requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    custom_id: Annotated[str, Field(strict=True, min_length=1)]
    method: Literal["POST"]
    url: Literal["/v1/audio/speech"]
    body: dict[str, Any]


class ErrorBody(BaseModel):
    """The inner object of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorOut(BaseModel):
    """An error in OpenAI's form."""

    error: ErrorBody
