"""Reads scenario files: the emulator's initial configuration and timed changes. `scenario_player` applies them."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from api_models.hints import did_you_mean
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.registry import MODELS
from worker.emulator.account import AccountChange
from worker.emulator.api.refusals import ModelState
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule
from worker.emulator.latency import Latency
from worker.emulator.limits import Limit

_KINDS: Final = ("account", "limit", "latency", "rules", "model")


class ModelSwitch(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: str
    state: ModelState

    @field_validator("slug")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in MODELS:
            raise ValueError(f"no model {value}{did_you_mean(value, MODELS)} (known: {', '.join(MODELS)})")
        return value


class Change(BaseModel):
    """An operator's action: exactly one of the changes below."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Since the emulator began to accept calls."""
    account: AccountChange | None = None
    limit: Limit | None = None
    latency: Latency | None = None
    rules: tuple[Rule, ...] | None = None
    """Replaces the current faults; an empty list removes them."""
    model: ModelSwitch | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"set exactly one of {', '.join(_KINDS)}; found {', '.join(given) or 'none'}")
        return self


class Scenario(EmulatorConfig):
    """A configuration and its changes over time."""

    changes: tuple[Change, ...] = ()
    """In any order; changes at the same time apply in the order listed."""

    def timeline(self) -> list[Change]:
        return sorted(self.changes, key=lambda change: change.at_seconds)


_FIELDS: Final = frozenset(
    name
    for model in (Scenario, Change, AccountChange, Limit, Latency, Rule, Match, Effect, ModelSwitch)
    for name in model.model_fields
)
"""Suggestions for misspelt names, whatever their place in the file."""


def load(path: Path) -> Scenario:
    """Load a scenario: TOML if the file name ends in `.toml`, else JSON. Amounts may be numbers and stay exact. Raises
    InvalidInputError: the file is unreadable or invalid.
    """
    try:
        content = _content(path.read_text("utf-8"), toml=path.suffix.lower() == ".toml")
    except OSError as error:
        raise InvalidInputError(str(path), [Fault(message=error.strerror or str(error))]) from error
    except (ValueError, RecursionError) as error:  # covers both syntaxes' errors and undecodable bytes
        raise InvalidInputError(str(path), [Fault(message=str(error))]) from error
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError(str(path), faults_of(error, known=_FIELDS)) from error


def _content(text: str, *, toml: bool) -> Any:  # noqa: ANN401 - whatever the file says; the model judges it
    return tomllib.loads(text, parse_float=Decimal) if toml else json.loads(text, parse_float=Decimal)
