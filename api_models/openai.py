"""Requests and responses in OpenAI's shapes."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api_models.formats import DeliveryFormat
from api_models.hints import did_you_mean, quoted
from api_models.values import OptionalNumber

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


class ErrorBody(BaseModel):
    """The inner object of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorOut(BaseModel):
    """An error in OpenAI's form."""

    error: ErrorBody
