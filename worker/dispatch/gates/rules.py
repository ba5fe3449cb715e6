"""When gates close, are probed and open again. Pure decisions; the dispatcher carries them out.

A gate closes on what an attempt met. It opens on proof: a free check that passes, or a real job that began after the
gate closed and was let through.
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
BREAKER_FIRST_SECONDS: Final = 5.0
BREAKER_CAP_SECONDS: Final = 60.0
"""A broken upstream is mended by others, and often within seconds: its probes start soon and stay frequent."""

OUT_OF_CREDIT: Final = "insufficient_credits"
FREE_CHECKS: Final = frozenset({"bad_key", OUT_OF_CREDIT})
"""Troubles that the free credits endpoint can tell are over. The rest is probed with one real job."""

BY_HAND: Final = frozenset({OPERATOR})
"""Gates that people closed: no probe is made of them and no success opens them."""

NEVER: Final[Mapping[str, datetime]] = MappingProxyType({})
"""Of no gate a time is known."""

LET_THROUGH: Final = frozenset({VerdictKind.SUCCESS, VerdictKind.BAD_TAKE})
"""Verdicts that prove that the account and the model take calls."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What may not start now."""

    everything: bool
    models: frozenset[str]


def blocked(gates: Sequence[Gate]) -> Blocked:
    """What the closed gates hold."""
    return Blocked(
        everything=any(gate.scope is not GateScope.MODEL for gate in gates),
        models=frozenset(gate.model for gate in gates if gate.model is not None),
    )


def wait_before_probe(probes: int, first_seconds: float, code: str | None = None) -> timedelta:
    """The wait before the next probe, after `probes` of them; it doubles up to half an hour, for a breaker a minute."""
    first, cap = first_seconds, PROBE_CAP_SECONDS
    if code == circuit_breaker.CODE:
        first, cap = min(first_seconds, BREAKER_FIRST_SECONDS), BREAKER_CAP_SECONDS
    return timedelta(seconds=min(cap, first * PROBE_GROWTH ** min(probes, 20)))


def opened_by(ended: Ended, gates: Sequence[Gate], refused_at: Mapping[str, datetime] = NEVER) -> list[Gate]:
    """The closed gates that this attempt proves open; `refused_at` says when each one's latest refusal was recorded.

    A call that began before that may have been let through before the refusal was given, and proves nothing.
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
    """The name of the gate that this attempt closes, if any; `opened_at` says when gates were last seen to open.

    A refusal of a call that was under way before its gate opened says nothing of how things are since.
    """
    if ended.verdict is not VerdictKind.GATE or ended.scope is None:
        return None
    name = gate_name(ended.scope, ended.model)
    return None if name in opened_at and ended.started_at <= opened_at[name] else name


def due_probes(gates: Sequence[Gate], now: datetime) -> list[Gate]:
    """The gates whose next probe is due."""
    return [gate for gate in gates if gate.next_probe_at <= now and gate.code not in BY_HAND]


def is_free(gate: Gate) -> bool:
    """Whether this gate can be probed without a paid call."""
    return gate.scope is GateScope.STORAGE or gate.code in FREE_CHECKS


def is_proof(gate: Gate, balance: Decimal | None, in_flight: int) -> bool:
    """Whether a free check that passed proves that a gate may open.

    For want of credit a balance is none by itself: the account may still show what the calls in flight will take. It
    has to pay for a call of every model beside them.
    """
    if gate.code != OUT_OF_CREDIT or balance is None:
        return True
    return balance >= (in_flight + 1) * max(model.price for model in MODELS.values())
