"""When gates close, are probed and reopen. Pure; the dispatcher applies the decisions.

A gate closes on a failed attempt. It opens on proof: a free check that passes, or a job that started after the gate
closed and was let through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from api_models.registry import MODELS
from api_models.verdict import GateScope, VerdictKind
from worker.dispatch.gates import circuit_breaker
from worker.store.account import OPERATOR, Gate, gate_name
from worker.store.queries.attempts import Ended

PROBE_GROWTH: Final = 2.0
PROBE_CAP_SECONDS: Final = 1_800.0
FREE_SECONDS: Final = 30.0
BREAKER_FIRST_SECONDS: Final = 5.0
BREAKER_CAP_SECONDS: Final = 60.0
"""Maximum wait between probes of a broken upstream, which often recovers within seconds."""

OUT_OF_CREDIT: Final = "insufficient_credits"
FREE_CHECKS: Final = frozenset({"bad_key", OUT_OF_CREDIT})
"""Codes that the free credits endpoint can clear. Other gates are probed with one job."""

BY_HAND: Final = frozenset({OPERATOR})
"""Gates closed by an operator: never probed, and never opened by a success."""

NEVER: Final[Mapping[str, datetime]] = MappingProxyType({})

LET_THROUGH: Final = frozenset({VerdictKind.SUCCESS, VerdictKind.BAD_TAKE})
"""Verdicts that prove that the account and the model accept calls."""


@dataclass(frozen=True, slots=True)
class Blocked:
    everything: bool
    models: frozenset[str]


def blocked(gates: Sequence[Gate]) -> Blocked:
    return Blocked(
        everything=any(gate.scope is not GateScope.MODEL for gate in gates),
        models=frozenset(gate.model for gate in gates if gate.model is not None),
    )


def wait_before_probe(
    probes: int, first_seconds: float, code: str | None = None, *, scope: GateScope | None = None
) -> timedelta:
    """Return the wait after `probes` probes: doubles up to half an hour, or one minute for a breaker.

    A free check costs nothing and keeps a constant pace: after a top-up, jobs wait for the next one.
    """
    if scope is GateScope.STORAGE or code in FREE_CHECKS:
        return timedelta(seconds=min(FREE_SECONDS, first_seconds))
    first, cap = first_seconds, PROBE_CAP_SECONDS
    if code == circuit_breaker.CODE:
        first, cap = min(first_seconds, BREAKER_FIRST_SECONDS), BREAKER_CAP_SECONDS
    return timedelta(seconds=min(cap, first * PROBE_GROWTH ** min(probes, 20)))


def opened_by(ended: Ended, gates: Sequence[Gate], refused_at: Mapping[str, datetime] = NEVER) -> list[Gate]:
    """Return the closed gates that this attempt proves open. `refused_at` holds each gate's latest refusal.

    A call that began before that refusal may have passed earlier, and proves nothing.
    """
    if ended.verdict not in LET_THROUGH:
        return []
    return [
        gate
        for gate in gates
        if gate.scope is not GateScope.STORAGE
        and gate.code not in BY_HAND
        and gate.model in {None, ended.model}
        and ended.started_at > max(gate.since, refused_at.get(gate.name, gate.since))
    ]


def closed_by(ended: Ended, opened_at: Mapping[str, datetime] = NEVER) -> str | None:
    """Return the gate that this attempt closes, if any. `opened_at` holds when gates were last seen open.

    A refused call that began before its gate opened is no evidence about the time since.
    """
    if ended.verdict is not VerdictKind.GATE or ended.scope is None:
        return None
    name = gate_name(ended.scope, ended.model)
    return None if name in opened_at and ended.started_at <= opened_at[name] else name


def due_probes(gates: Sequence[Gate], now: datetime) -> list[Gate]:
    return [gate for gate in gates if gate.next_probe_at <= now and gate.code not in BY_HAND]


def is_free(gate: Gate) -> bool:
    return gate.scope is GateScope.STORAGE or gate.code in FREE_CHECKS


def is_proof(gate: Gate, balance: Decimal | None, in_flight: int) -> bool:
    """Return whether a passed free check may open a gate.

    After `OUT_OF_CREDIT`, a positive balance is not enough: the calls in flight may still use it up. It must also cover
    one more call of every model.
    """
    if gate.code != OUT_OF_CREDIT or balance is None:
        return True
    return balance >= (in_flight + 1) * MODELS.dearest.price
