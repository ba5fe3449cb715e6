"""Scripts in JSON: the internal form itself, its scenes or turns alone, or a list of turns."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api_models.problems import faults_of
from worker.intake.lines import DECODER, repeated_key
from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.script import MAX_OVERLAP_SECONDS, MAX_PAUSE_SECONDS

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)
_EXAMPLE: Final = 'write [{"speaker": "Anna", "text": "Good morning."}]'


class TurnIn(BaseModel):
    model_config = _STRICT

    speaker: str = ""
    text: str
    direction: str = ""
    pause: Annotated[float | None, Field(ge=0, le=MAX_PAUSE_SECONDS)] = None
    overlap: Annotated[float, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 0.0


class SceneIn(BaseModel):
    model_config = _STRICT

    title: str = ""
    turns: list[TurnIn]


class ScriptIn(BaseModel):
    model_config = _STRICT

    title: str = ""
    author: str = ""
    language: str = ""
    cast: dict[str, Any] = {}
    scenes: list[SceneIn] = []
    turns: list[TurnIn] = []
    """Of a script without scenes."""


_KNOWN: Final = (*ScriptIn.model_fields, *SceneIn.model_fields, *TurnIn.model_fields)


def read(source: str, builder: ScriptBuilder) -> None:
    """Read a script in JSON. Lines of turns are their numbers."""
    found = _loaded(source, builder)
    if found is None:
        return
    builder.title, builder.author, builder.language = found.title, found.author, found.language
    builder.cast = found.cast
    number = 0
    for scene in (SceneIn(turns=found.turns), *found.scenes):
        builder.scene(scene.title)
        for turn in scene.turns:
            number += 1
            builder.turn(
                turn.speaker,
                turn.text,
                number,
                direction=turn.direction,
                pause=turn.pause,
                overlap=turn.overlap,
            )


def _loaded(source: str, builder: ScriptBuilder) -> ScriptIn | None:
    try:
        value = DECODER.decode(source.strip())
        return ScriptIn.model_validate({"turns": value} if isinstance(value, list) else value)
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg.lower()} at line {error.lineno:,}, column {error.colno}; {_EXAMPLE}"
        builder.fault_of_all(message)
    except ValidationError as error:
        for fault in faults_of(error, known=_KNOWN):
            builder.add(fault)
    except (ValueError, RecursionError) as error:
        key = repeated_key(error)
        builder.fault_of_all(f"an object has the key {key} twice; keep one" if key else f"is no script; {_EXAMPLE}")
    return None
