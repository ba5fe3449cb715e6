"""Applies the results of finished attempts to pace, gates, breakers and balance; each attempt is read once."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection

from api_models.verdict import GateScope, VerdictKind
from worker.dispatch.gates import circuit_breaker, rules
from worker.dispatch.gates.balance import BalanceWatch
from worker.dispatch.gates.circuit_breaker import Record
from worker.dispatch.gates.gatekeeper import Gatekeeper
from worker.dispatch.rate import pace
from worker.store.account import Gate, PaceState, gate_name
from worker.store.queries import attempts
from worker.store.queries.attempts import Ended

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Feedback:
    """Remembers the latest call results of each model; a new leader starts empty."""

    keeper: Gatekeeper
    balance: BalanceWatch
    rng: random.Random
    _records: dict[str, Record] = field(default_factory=dict)

    def apply(
        self, connection: Connection, paced: PaceState, closed: list[Gate], now: datetime
    ) -> tuple[PaceState, list[Gate], list[Ended]]:
        """Read newly finished attempts. Returns the new pace, the closed gates, and the attempts read."""
        finished = attempts.take_news(connection)
        for ended in finished:
            match ended.verdict:
                case VerdictKind.PACE:
                    paced = self._slow_down(paced, ended, now)
                case VerdictKind.GATE:
                    closed = self.keeper.close(connection, closed, ended, now)
                case VerdictKind.SUCCESS | VerdictKind.BAD_TAKE:
                    paced = pace.after_success(paced, started_at=ended.started_at)
                    opening = rules.opened_by(ended, closed, self.keeper.refused_at)
                    closed = self.keeper.open(connection, closed, opening, proved_at=ended.started_at, now=now)
                case _:
                    pass
            closed = self._break(connection, closed, ended, now)
        self.balance.learn(connection, finished, self.keeper.prober.balances(), now)
        return paced, closed, finished

    def _slow_down(self, paced: PaceState, ended: Ended, now: datetime) -> PaceState:
        slower = pace.after_refusal(
            paced,
            refused_at=ended.finished_at,
            started_at=ended.started_at,
            reset_at=ended.reset_at,
            message=ended.message or "",
            now=now,
            rng=self.rng,
        )
        if slower.strikes != paced.strikes:
            log.warning("rate_limited", paused_until=slower.paused_until, message=ended.message)
        return slower

    def _break(self, connection: Connection, closed: list[Gate], ended: Ended, now: datetime) -> list[Gate]:
        """Close the gate of a model whose upstream is broken. While it is closed, only its probes are evidence."""
        model, name = ended.model, gate_name(GateScope.MODEL, ended.model)
        opened_at = self.keeper.opened_at.get(name)
        if name in {gate.name for gate in closed}:
            self._records.pop(model, None)
        elif opened_at is None or ended.started_at > opened_at:
            record = self._records[model] = circuit_breaker.after(self._records.get(model, ()), ended)
            # A served call cannot open the breaker.
            if ended.verdict not in circuit_breaker.SERVED and circuit_breaker.trips(record, now):
                return self.keeper.trip(connection, closed, model, circuit_breaker.describe(record, now), now)
        return closed
