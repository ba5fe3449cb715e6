"""How fine the times are that are stored beside a job's audio."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from api_models.hints import did_you_mean, quoted
from api_models.values import blank_is_none


class Timings(StrEnum):
    NONE = "none"
    PART = "part"
    """When each part of a document begins and ends; for other texts, the speech as a whole."""
    SENTENCE = "sentence"
    WORD = "word"


class TimingsFormat(StrEnum):
    """The formats in which the times of a job are returned."""

    JSON = "json"
    SRT = "srt"
    VTT = "vtt"
    ASS = "ass"


def _known(value: object) -> Timings | None:
    value = blank_is_none(value)
    if value is None:
        return None
    name = value.strip().lower() if isinstance(value, str) else value
    if not isinstance(name, str) or name not in tuple(Timings):
        raise PydanticCustomError(
            "timings",
            "no kind of timings {name}{hint} (known: {known})",
            {
                "name": quoted(value),
                "hint": did_you_mean(name, Timings) if isinstance(name, str) else "",
                "known": ", ".join(Timings),
            },
        )
    return Timings(name)


def _given(value: object) -> Timings:
    return _known(value) or Timings.NONE


TimingsName = Annotated[Timings, BeforeValidator(_given)]
OptionalTimings = Annotated[Timings | None, BeforeValidator(_known)]
