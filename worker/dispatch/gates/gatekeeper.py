"""Closes gates after failures, opens them on proof, and probes them. `rules` makes the decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from api_models.verdict import GateScope
from worker.dispatch.gates import circuit_breaker, rules
from worker.dispatch.gates.probes import Prober
from worker.store import account
from worker.store.account import Gate, gate_name
from worker.store.queries import jobs
from worker.store.queries.attempts import Ended
from worker.store.transitions import dispatches

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Gatekeeper:
    """Each method takes the closed gates and returns those that are closed after it."""

    prober: Prober
    probe_seconds: float
    opened_at: dict[str, datetime] = field(default_factory=dict)
    """When this leader first saw each gate open."""
    refused_at: dict[str, datetime] = field(default_factory=dict)
    """When the latest refusal that keeps each gate closed was recorded."""
    _closed: set[str] = field(default_factory=set)

    def look(self, connection: Connection, now: datetime) -> list[Gate]:
        """Read the closed gates, including changes by operators and workers since the last tick."""
        closed = account.closed_gates(connection)
        for gate in closed:
            if gate.name not in self._closed:
                dispatches.recall(connection, gate.model)
        names = {gate.name for gate in closed}
        self.opened_at |= dict.fromkeys(self._closed - names, now)
        self._closed = names
        return closed

    def close(self, connection: Connection, closed: list[Gate], ended: Ended, now: datetime) -> list[Gate]:
        """Close the gate that an attempt ran into; if it is already closed, update its message."""
        name = rules.closed_by(ended, self.opened_at)
        if name is None or ended.scope is None:
            return closed
        self.refused_at[name] = max(ended.finished_at, self.refused_at.get(name, ended.finished_at))
        code, message = ended.code or "unknown", ended.message or "no reason given"
        if name not in {gate.name for gate in closed}:
            model = ended.model if ended.scope is GateScope.MODEL else None
            probe_at = now + rules.wait_before_probe(0, self.probe_seconds, code, scope=ended.scope)
            return self._shut(connection, closed, Gate(name, ended.scope, model, code, message, now, probe_at, 0))
        return [_with_message(connection, gate, code, message) if gate.name == name else gate for gate in closed]

    def trip(self, connection: Connection, closed: list[Gate], model: str, message: str, now: datetime) -> list[Gate]:
        """Close a model's gate because its upstream is broken; a closed gate stays unchanged."""
        name = gate_name(GateScope.MODEL, model)
        if name in {gate.name for gate in closed}:
            return closed
        probe_at = now + rules.wait_before_probe(0, self.probe_seconds, circuit_breaker.CODE)
        gate = Gate(name, GateScope.MODEL, model, circuit_breaker.CODE, message, now, probe_at, 0)
        return self._shut(connection, closed, gate)

    def open(
        self,
        connection: Connection,
        closed: list[Gate],
        opening: Sequence[Gate],
        *,
        proved_at: datetime,
        now: datetime,
    ) -> list[Gate]:
        """Open gates that a call or check begun at `proved_at` has proved open."""
        for gate in opening:
            account.open_gate(connection, gate.name, now=now)
            self.opened_at[gate.name] = proved_at
            self._closed.discard(gate.name)
        names = {gate.name for gate in opening}
        return [gate for gate in closed if gate.name not in names]

    def check(self, connection: Connection, closed: list[Gate], now: datetime) -> list[Gate]:
        """Collect the results of free checks, and start those that are due."""
        for seen in self.prober.passed():
            if rules.is_proof(seen.gate, seen.balance, seen.in_flight):
                # The check is no evidence about a gate that has closed again since.
                proved = [gate for gate in closed if (gate.name, gate.since) == (seen.gate.name, seen.gate.since)]
                closed = self.open(connection, closed, proved, proved_at=now, now=now)
            else:
                reason = f"{seen.in_flight} calls in flight may still use up the ${seen.balance:f}"
                log.info("probe_failed", gate=seen.gate.name, reason=reason)
        for gate in rules.due_probes(closed, now):
            if rules.is_free(gate) and self.begin_probe(connection, gate, now):
                self.prober.check(gate, in_flight=sum(jobs.in_flight_by_worker(connection).values()))
        return closed

    def begin_probe(self, connection: Connection, gate: Gate, now: datetime) -> bool:
        """Record the start of a probe and when the next may start. False if another process has just done so."""
        later = now + rules.wait_before_probe(gate.probes + 1, self.probe_seconds, gate.code, scope=gate.scope)
        log.info("gate_probe", gate=gate.name, code=gate.code, next_probe_at=later)
        return account.begin_probe(connection, gate, next_probe_at=later)

    def _shut(self, connection: Connection, closed: list[Gate], gate: Gate) -> list[Gate]:
        account.close_gate(
            connection,
            gate.scope,
            gate.model,
            code=gate.code,
            message=gate.message,
            next_probe_at=gate.next_probe_at,
            now=gate.since,
        )
        self._closed.add(gate.name)
        dispatches.recall(connection, gate.model)
        return [*closed, gate]


def _with_message(connection: Connection, gate: Gate, code: str, message: str) -> Gate:
    """Repeated identical errors are stored once, and a gate closed by an operator keeps its message."""
    if gate.code in rules.BY_HAND or (gate.code, gate.message) == (code, message):
        return gate
    account.still_closed(connection, gate.name, code=code, message=message)
    return replace(gate, code=code, message=message)
