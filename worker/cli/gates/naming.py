"""Gates as people name them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api_models.hints import did_you_mean
from api_models.registry import MODELS
from api_models.verdict import GateScope
from worker.cli.talk.errors import UnknownGateError

MODEL_PREFIX: Final = f"{GateScope.MODEL}:"


@dataclass(frozen=True, slots=True)
class GateName:
    """One gate, whether or not it ever closed."""

    scope: GateScope
    model: str | None = None

    def __str__(self) -> str:
        return str(self.scope) if self.model is None else f"{MODEL_PREFIX}{self.model}"


def named(wanted: str, known: Iterable[str] = ()) -> GateName:
    """The gate that is meant. `known` are gates that there are beside the registry's.

    Raises:
        UnknownGateError: there is none.
    """
    everything = [str(GateScope.ACCOUNT), str(GateScope.STORAGE), *(f"{MODEL_PREFIX}{slug}" for slug in MODELS)]
    everything += [name for name in known if name not in everything]
    for name in (wanted, f"{MODEL_PREFIX}{wanted}"):
        if name in everything:
            scope, _, model = name.partition(":")
            return GateName(GateScope(scope), model or None)
    bare = wanted.removeprefix(MODEL_PREFIX)
    hint = did_you_mean(bare, [name.removeprefix(MODEL_PREFIX) for name in everything])
    raise UnknownGateError(wanted, everything, hint)
