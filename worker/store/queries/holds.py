"""Everything that holds the queue at the moment, described for people."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection
from sqlalchemy.orm import InstrumentedAttribute

from worker.store import account, batches, lane_takes, workers
from worker.store.account import OPERATOR
from worker.store.batches import Paused
from worker.store.lane_takes import HeldLane
from worker.store.money import budgets, charges
from worker.store.money.budgets import Budget
from worker.store.tables.account import LaneTakes
from worker.store.tables.base import NO_LANE
from worker.store.tables.jobs import Job

STALE_SECONDS: Final = 8.0
"""A worker without a heartbeat for this long does not count; the dispatcher's limit."""

BUDGET_PREFIX: Final = "budget:"
"""Prefix of the names of budget holds, followed by the id of the batch or of the API key, or the tenant's name."""

PAUSED_PREFIX: Final = "paused:"
"""Prefix of the names of paused batches' holds, followed by the batch's id."""
TAKES_PREFIX: Final = "takes:"
"""Prefix of the names of holds by refused takes, followed by the batch's id (or the tenant, for jobs without one) and
the model, separated by colons.
"""
MAX_PAUSED: Final = 100
"""How many paused batches are listed, the longest paused first."""


@dataclass(frozen=True, slots=True)
class Hold:
    name: str
    """`account`, `model:…`, `storage`, `pace`, `budget:…`, `takes:…`, `paused:…`, or `workers`."""
    code: str
    message: str
    since: datetime | None
    until: datetime | None


def holds(connection: Connection, *, now: datetime) -> list[Hold]:
    found = [
        Hold(gate.name, gate.code, gate.message, gate.since, None if gate.code == OPERATOR else gate.next_probe_at)
        for gate in account.closed_gates(connection)
    ]
    pace = account.load_pace(connection)
    if pace.paused_until is not None and pace.paused_until > now:
        found.append(Hold("pace", "rate_limited", pace.message or "too many requests", None, pace.paused_until))
    found += [_budget_hold(budget) for budget in budgets.standings(connection, now=now) if budget.holds]
    found += [takes_hold(lane) for lane in lane_takes.held(connection)]
    found += [_paused_hold(batch) for batch in batches.paused(connection, most=MAX_PAUSED)]
    return found + _worker_holds(connection, now)


def _paused_hold(batch: Paused) -> Hold:
    message = f"{batch.name} is paused; resume it with `ttsq batch resume {batch.id}`"
    return Hold(f"{PAUSED_PREFIX}{batch.id}", "paused", message, batch.since, None)


def takes_hold(lane: HeldLane) -> Hold:
    count, batch_id = lane.count, lane.batch_id
    name = f"{TAKES_PREFIX}{batch_id or count.tenant}:{count.model}"
    takes = "1 paid take" if count.refused == 1 else f"{count.refused:,} paid takes"
    subject = lane.batch or (f"batch {batch_id}" if batch_id is not None else f"{count.tenant}'s jobs without a batch")
    remedy = f"ttsq batch resume {batch_id}" if batch_id is not None else f"ttsq gates open {name}"
    takes += " of other jobs" if count.code == lane_takes.OTHERS else ""
    message = f"{subject}, {count.model}: {takes} refused in a row; the latest: {sentence(count.message)}"
    return Hold(name, lane_takes.CODE, f"{message} `{remedy}` tries a few more", lane.since, None)


def sentence(message: str | None) -> str:
    reason = (message or "no reason given").strip()
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def takes_selection(name: str) -> ColumnElement[bool]:
    """Select the jobs held under this name, which begins with `TAKES_PREFIX`."""
    return _of_lane(name, Job.lane, Job.tenant, Job.model)


def lane_of(name: str) -> ColumnElement[bool]:
    return _of_lane(name, LaneTakes.lane, LaneTakes.tenant, LaneTakes.model)


def _of_lane(
    name: str,
    lane: InstrumentedAttribute[UUID],
    tenant: InstrumentedAttribute[str],
    of_model: InstrumentedAttribute[str],
) -> ColumnElement[bool]:
    subject, _, model = name.removeprefix(TAKES_PREFIX).rpartition(":")
    which = (lane == NO_LANE) & (tenant == subject)
    with suppress(ValueError):
        which |= lane == UUID(subject)
    return which & (of_model == model)


def _budget_hold(budget: Budget) -> Hold:
    figures = f"${budget.spent:f} of ${budget.limit:f} is spent"
    if budget.unclear:
        figures += f", calls of unknown outcome count ${budget.unclear:f}"
    if budget.reserved:
        figures += f", calls in flight may cost ${budget.reserved:f}"
    figures += f" and the next one ${budget.wanted:f}"
    if budget.month is None:
        subject = budget.name if budget.key_id is None else f"API key {budget.name}"
        message = f"{subject}: {figures}; raise it with `{raising(budget)}`"
        return Hold(f"{BUDGET_PREFIX}{budget.payer}", "budget", message, None, None)
    message = (
        f"{budget.tenant} in {budget.month}: {figures}; raise it with `{raising(budget)}`, or wait for the next month"
    )
    _, until = charges.span(budget.month)
    return Hold(f"{BUDGET_PREFIX}{budget.payer}", "budget", message, None, until)


def raising(budget: Budget, amount: str = "DOLLARS") -> str:
    if budget.batch_id is not None:
        return f"ttsq budget batch {budget.batch_id} {amount}"
    if budget.key_id is not None:
        return f"ttsq keys budget {budget.key_id} {amount}"
    return f"ttsq budget set {shlex.quote(budget.tenant)} {amount} --monthly"


def _worker_holds(connection: Connection, now: datetime) -> list[Hold]:
    limit = now - timedelta(seconds=STALE_SECONDS)
    alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
    if not alive:
        return [Hold("workers", "no_workers", "no worker is running; start one with `ttsq worker`", None, None)]
    return [
        Hold("workers", "worker_in_trouble", f"{member.host} (pid {member.pid}): {reason}", None, None)
        for member in alive
        if (reason := member.problem) is not None
    ]
