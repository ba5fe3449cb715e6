"""Runs that meet an end of the money, an account's or a budget's, and go on after it. Looked at from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.status import IN_FLIGHT, JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.waiting import wait_for
from worker.emulator.ledger import State
from worker.store.money import budgets
from worker.store.outbox import events
from worker.store.outbox.events import Event
from worker.store.queries.holds import Hold
from worker.store.queries.jobs import Counts
from worker.store.tables.jobs import Attempt, Batch

PRICE: Final = MODELS[DEFAULT_MODEL].price
PLENTY: Final = Decimal(1_000)
HOLD_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Purse:
    """What the books say at one moment."""

    counts: Counts
    ledger: Decimal
    """The sum of all attempts' costs."""
    spent: Decimal
    """The batch's own counter."""
    bill: State
    """The emulator's."""
    events: tuple[Event, ...]

    @property
    def refused(self) -> int:
        """Calls that were answered with a 406."""
        return self.bill.statuses.get("406", 0)

    @property
    def agree(self) -> bool:
        """Whether ledger, counter and bill are the same to the last digit."""
        return self.ledger == self.spent == self.bill.billed


@dataclass(frozen=True, slots=True)
class Halt:
    """A run that the end of the money held, and that went on by itself."""

    hold: Hold
    held: Purse
    """When nothing was in flight any more."""
    ended: Purse
    attempts_used: frozenset[int]
    """By the jobs, each number that occurs."""


def run_dry(cluster: Cluster, work: Sequence[str], *, checks: int = 2) -> Halt:
    """Run texts until the account is empty; after `checks` free checks top it up, and wait for the batch to finish."""
    batch = cluster.submit(work)
    hold = wait_for(lambda: _hold(cluster, "account"), seconds=HOLD_SECONDS, what="the account's hold")
    held = _held(cluster, batch)
    seen = held.bill.credit_checks
    admin = cluster.emulator.admin
    wait_for(
        lambda: admin.state(detail=False).credit_checks >= seen + checks, seconds=HOLD_SECONDS, what="checks of credit"
    )
    admin.account(credits=PLENTY)
    return _to_the_end(cluster, batch, hold, held)


def run_on_a_budget(cluster: Cluster, work: Sequence[str], limit: Decimal) -> Halt:
    """Speak texts until their budget is used up; then raise it, and wait for the end."""
    batch = cluster.submit(work, max_cost=limit)
    hold = wait_for(lambda: _idle_hold(cluster, batch), seconds=HOLD_SECONDS, what="the budget's hold")
    held = _held(cluster, batch)
    with cluster.database.begin() as connection:
        budgets.limit_batch(connection, batch, PLENTY)
    return _to_the_end(cluster, batch, hold, held)


def _to_the_end(cluster: Cluster, batch: UUID, hold: Hold, held: Purse) -> Halt:
    cluster.wait_until_done(batch, timeout=QUIET_SECONDS * 5)
    # What ended last is read by the dispatcher's next tick.
    wait_for(lambda: _purse(cluster, batch).agree, seconds=QUIET_SECONDS, what="counter and ledger in agreement")
    used = frozenset(job.attempts_used for job in cluster.seen.jobs(batch))
    return Halt(hold, held, _purse(cluster, batch), used)


def _held(cluster: Cluster, batch: UUID) -> Purse:
    def quiet() -> bool:
        return not cluster.counts(batch).of(*IN_FLIGHT, JobStatus.SCHEDULED)

    wait_for(quiet, seconds=QUIET_SECONDS, what="calls in flight ended")
    wait_for(lambda: _purse(cluster, batch).agree, seconds=QUIET_SECONDS, what="counter and ledger in agreement")
    return _purse(cluster, batch)


def _hold(cluster: Cluster, name: str) -> Hold | None:
    return next((hold for hold in cluster.seen.holds() if hold.name == name), None)


def _idle_hold(cluster: Cluster, batch: UUID) -> Hold | None:
    """The budget's hold once nothing is in flight that could still make room."""
    if cluster.counts(batch).of(*IN_FLIGHT, JobStatus.SCHEDULED):
        return None
    return _hold(cluster, f"budget:{batch}")


def _purse(cluster: Cluster, batch: UUID) -> Purse:
    with cluster.database.read() as connection:
        ledger = connection.execute(
            select(func.sum(Attempt.cost, type_=Attempt.cost.type)).where(Attempt.batch_id == batch)
        ).scalar()
        spent = connection.execute(select(Batch.spent).where(Batch.id == batch)).scalar_one()
        told = tuple(events.after(connection, 0, most=1_000))
    state = cluster.emulator.admin.state(detail=False)
    return Purse(cluster.counts(batch), ledger or Decimal(0), spent, state, told)
