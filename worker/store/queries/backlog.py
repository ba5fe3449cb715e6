"""The queue by what holds it: jobs that could start now, and jobs held, by reason. Read-only.

Weakness: a budget holds whole lanes here. Jobs of a batch whose API key's budget is used up count as startable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Connection, cast, func, select
from sqlalchemy.orm import aliased

from api_models.status import JobStatus
from api_models.verdict import GateScope
from worker.store import account, batches, lane_takes
from worker.store.money import budgets
from worker.store.money.limits import Payer
from worker.store.states import IS_DOCUMENT, in_state
from worker.store.tables.jobs import Job, Tally

REASONS: Final = ("account", "model", "storage", "paused", "takes", "budget", "pace")
"""In the order in which they are looked for."""
MAX_HELD: Final = 100_000
"""Paused batches, and lanes with refused takes, that are read."""

LaneKey = tuple[UUID, str, str]
"""Lane, tenant and model."""
_PART: Final = aliased(Job, name="its")
_TALLIED: Final = (
    select(Tally.lane, Tally.tenant, Tally.model, cast(func.sum(Tally.jobs), BigInteger))
    .where(Tally.status == JobStatus.QUEUED)
    .group_by(Tally.lane, Tally.tenant, Tally.model)
)
_PARTS: Final = (
    select(_PART.lane, _PART.tenant, _PART.model, func.count())
    .join(Job, Job.id == _PART.parent)
    .where(IS_DOCUMENT, in_state(JobStatus.SCHEDULED), _PART.parent.is_not(None), _PART.status == JobStatus.QUEUED)
    .group_by(_PART.lane, _PART.tenant, _PART.model)
)
_COUNTED: Final = (
    select(Job.lane, Job.tenant, Job.model, func.count())
    .where(in_state(JobStatus.QUEUED))
    .group_by(Job.lane, Job.tenant, Job.model)
)


@dataclass(frozen=True, slots=True)
class Holds:
    """What holds lanes at one moment."""

    gates: Mapping[str, str]
    """Of each closed gate, what it holds: by scope, or by model."""
    paused: Collection[UUID]
    refused: Collection[LaneKey]
    """Lanes whose paid takes were refused."""
    payers: Collection[Payer]
    """Batches, API keys and tenants whose budget is used up."""
    is_paced: bool
    """All calls wait for the end of a pause that the API asked for."""

    def reason(self, lane: UUID, tenant: str, model: str) -> str | None:
        """Return the first of `REASONS` that holds a lane; None if its jobs could start."""
        holds: Mapping[str, bool] = {
            "account": str(GateScope.ACCOUNT) in self.gates,
            "model": model in self.gates,
            "storage": str(GateScope.STORAGE) in self.gates,
            "paused": lane in self.paused,
            "takes": (lane, tenant, model) in self.refused,
            "budget": lane in self.payers or tenant in self.payers,
            "pace": self.is_paced,
        }
        return next((reason for reason in REASONS if holds[reason]), None)


@dataclass(frozen=True, slots=True)
class Backlog:
    startable: int
    held: Mapping[str, int]
    holds: Holds


def holds(connection: Connection, used_up: Collection[Payer], *, now: datetime) -> Holds:
    gates = {gate.model or str(gate.scope): gate.code for gate in account.closed_gates(connection)}
    pace = account.load_pace(connection)
    return Holds(
        gates=gates,
        paused={batch.id for batch in batches.paused(connection, most=MAX_HELD)},
        refused={lane.count.key for lane in lane_takes.held(connection, most=MAX_HELD)},
        payers=used_up,
        is_paced=pace.paused_until is not None and pace.paused_until > now,
    )


def backlog(connection: Connection, found: Holds) -> Backlog:
    by_reason: Counter[str | None] = Counter()
    for lane, tenant, model, jobs in _lanes(connection):
        by_reason[found.reason(lane, tenant, model)] += jobs
    startable = by_reason.pop(None, 0)
    return Backlog(startable, {str(reason): jobs for reason, jobs in by_reason.items() if jobs}, found)


def used_up(connection: Connection, *, now: datetime) -> set[Payer]:
    return {budget.payer for budget in budgets.standings(connection, now=now) if budget.holds}


def held_by_budget(connection: Connection, *, now: datetime) -> int:
    """Return the number of queued jobs that nothing but a budget holds."""
    payers = used_up(connection, now=now)
    return backlog(connection, holds(connection, payers, now=now)).held.get("budget", 0) if payers else 0


def _lanes(connection: Connection) -> list[tuple[UUID, str, str, int]]:
    """Return the queued jobs of each lane. On PostgreSQL from the tallies, which count no parts of documents."""
    statements = (_TALLIED, _PARTS) if connection.dialect.name == "postgresql" else (_COUNTED,)
    return [(*row[:3], int(row[3])) for statement in statements for row in connection.execute(statement)]
