"""When gates close, are probed and open again. Pure decisions; the dispatcher carries them out.

A gate closes on what an attempt met. It opens on proof: a free check that passes, or a real job that began after the
gate closed and was let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api_models.verdict import GateScope, VerdictKind
from worker.store.account import Gate, gate_name
from worker.store.attempts import Ended

PROBE_GROWTH: Final = 2.0
PROBE_CAP_SECONDS: Final = 1_800.0

FREE_CHECKS: Final = frozenset({"bad_key", "insufficient_credits"})
"""Troubles that the free credits endpoint can tell are over. The rest is probed with one real job."""

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


def wait_before_probe(probes: int, first_seconds: float) -> timedelta:
    """The wait before the next probe, after `probes` of them; it doubles up to half an hour."""
    return timedelta(seconds=min(PROBE_CAP_SECONDS, first_seconds * PROBE_GROWTH**probes))


def opened_by(ended: Ended, gates: Sequence[Gate]) -> list[Gate]:
    """The closed gates that this attempt proves open."""
    if ended.verdict not in LET_THROUGH:
        return []
    return [
        gate
        for gate in gates
        if gate.scope is not GateScope.STORAGE and gate.model in {None, ended.model} and ended.started_at > gate.since
    ]


def closed_by(ended: Ended) -> str | None:
    """The name of the gate that this attempt closes, if any."""
    if ended.verdict is not VerdictKind.GATE or ended.scope is None:
        return None
    return gate_name(ended.scope, ended.model)


def due_probes(gates: Sequence[Gate], now: datetime) -> list[Gate]:
    """The gates whose next probe is due."""
    return [gate for gate in gates if gate.next_probe_at <= now]


def is_free(gate: Gate) -> bool:
    """Whether this gate can be probed without a paid call."""
    return gate.scope is GateScope.STORAGE or gate.code in FREE_CHECKS
