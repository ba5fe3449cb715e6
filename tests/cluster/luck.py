"""An API that fails by chance: rules that together take a share of all calls, as many for each way of failing."""

from __future__ import annotations

from typing import Final

from worker.emulator.api.responses import Ending
from worker.emulator.faults import Effect, Match, Rule

WAYS: Final = (Effect(status=500), Effect(status=502), Effect(status=504), Effect(ending=Ending.RESET))


def failing_rules(share: float) -> tuple[Rule, ...]:
    """A rule sees only what those before it let pass, so each takes a little more of what is left."""
    each = share / len(WAYS)
    return tuple(
        Rule(effect=effect, match=Match(probability=each / (1 - number * each))) for number, effect in enumerate(WAYS)
    )
