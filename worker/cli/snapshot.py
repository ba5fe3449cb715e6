"""The state of a batch, or of the whole queue, at one moment. Read once, printed for people or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection

from api_models.status import IN_FLIGHT, TERMINAL, WAITING, JobStatus
from worker.cli.console.exits import Exit
from worker.cli.console.format import money
from worker.store.database import Database
from worker.store.money import budgets, charges
from worker.store.money.budgets import Budget
from worker.store.queries import filters, holds, jobs
from worker.store.queries.holds import BUDGET_PREFIX, PAUSED_PREFIX, TAKES_PREFIX, Hold
from worker.store.queries.jobs import Counts

_MODEL_PREFIX: Final = "model:"
_WORKERS: Final = "workers"
BUDGET: Final = "budget"


def budgets_of(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[Budget]:
    """Return the budgets that limit unfinished jobs of a selection."""
    found = budgets.standings(connection, now=now)
    return [one for one in found if jobs.counts(connection, filters.unfinished(_limited(which, one))).total]


def used_up(budget: Budget) -> bool:
    """Return whether the next call is not covered, whatever the calls in flight turn out to cost."""
    return budget.wanted is not None and budget.used + budget.wanted > budget.limit


def count_held(
    connection: Connection,
    which: ColumnElement[bool],
    counts: Counts,
    found: Sequence[Hold],
    own_budgets: Sequence[Budget],
) -> tuple[int, list[Hold]]:
    """Return the number of held jobs and the holds that apply; a hold may cover only part of the selection."""
    holding: list[Hold] = []
    parts: list[ColumnElement[bool]] = []
    for hold, budget in _in_order(found, own_budgets):
        if budget is not None:
            part = _limited(which, budget)
        elif hold.name.startswith(_MODEL_PREFIX):
            part = filters.of_model(which, hold.name.removeprefix(_MODEL_PREFIX))
        elif hold.name.startswith(TAKES_PREFIX):
            part = filters.both(which, holds.takes_selection(hold.name))
        elif hold.name.startswith(PAUSED_PREFIX):
            part = filters.both(which, filters.in_batch(UUID(hold.name.removeprefix(PAUSED_PREFIX))))
        else:
            holding.append(hold)
            continue
        if jobs.counts(connection, part).of(*WAITING, *IN_FLIGHT):
            holding.append(hold)
            parts.append(part)
    if len(holding) > len(parts):
        return counts.of(*WAITING), holding
    return (jobs.counts(connection, filters.either(parts)).of(*WAITING) if parts else 0), holding


def held_by_takes(connection: Connection, which: ColumnElement[bool], having_a_part: Sequence[Hold]) -> int:
    parts = [holds.takes_selection(hold.name) for hold in having_a_part if hold.name.startswith(TAKES_PREFIX)]
    if not parts:
        return 0
    return jobs.counts(connection, filters.both(which, filters.either(parts))).of(*WAITING)


def _limited(which: ColumnElement[bool], budget: Budget) -> ColumnElement[bool]:
    if budget.batch_id is not None:
        return filters.both(which, filters.in_batch(budget.batch_id))
    if budget.key_id is not None:
        return filters.both(which, filters.of_key(budget.key_id))
    return filters.of_tenant(which, budget.tenant)


def _in_order(found: Sequence[Hold], own_budgets: Sequence[Budget]) -> Iterator[tuple[Hold, Budget | None]]:
    """Yield all holds: the account's first, then budgets, then missing workers."""
    for hold in found:
        if hold.name != _WORKERS and not hold.name.startswith(BUDGET_PREFIX):
            yield hold, None
    for budget in own_budgets:
        if used_up(budget):
            yield _hold_of(budget), budget
    for hold in found:
        if hold.name == _WORKERS:
            yield hold, None


def _hold_of(budget: Budget) -> Hold:
    usage = f"{money(budget.spent)} of {money(budget.limit)} spent"
    if budget.unclear:
        usage += f", {money(budget.unclear)} possibly billed"
    next_call = f", and the next call may cost {money(budget.wanted)}" if budget.wanted is not None else ""
    if budget.month is None:
        subject, until = budget.name if budget.key_id is None else f"API key {budget.name}", None
    else:
        subject, until = f"tenant {budget.tenant} in {budget.month}", charges.span(budget.month)[1]
    name = f"{BUDGET}:{budget.payer}"
    return Hold(name, "budget_used_up", f"{subject}: {usage}{next_call}", None, until)


NO_WORKERS: Final = "no_workers"


@dataclass(frozen=True, slots=True)
class Snapshot:
    counts: Counts
    held: int
    """Queued jobs that a hold keeps from starting."""
    holds: tuple[Hold, ...]
    """Holds on this selection, the most severe first."""
    at: datetime
    budgets: tuple[Budget, ...] = ()
    """Budgets of unfinished jobs."""
    held_by_takes: int = 0
    """Jobs held because consecutive takes were refused."""
    parts: Counts | None = None
    """What is spoken by itself: parts in place of their documents; None without documents."""

    @property
    def work(self) -> Counts:
        return self.counts if self.parts is None else self.parts

    @property
    def total(self) -> int:
        return self.counts.total

    @property
    def succeeded(self) -> int:
        return self.counts.of(JobStatus.SUCCEEDED)

    @property
    def failed(self) -> int:
        """Jobs that failed or expired; cancelled jobs are counted separately."""
        return self.counts.of(JobStatus.FAILED, JobStatus.EXPIRED)

    @property
    def cancelled(self) -> int:
        return self.counts.of(JobStatus.CANCELLED)

    @property
    def finished(self) -> int:
        return self.counts.of(*TERMINAL)

    @property
    def in_flight(self) -> int:
        """Includes jobs whose message is out: more than there are slots, while slots are about to become free."""
        return self.work.of(*IN_FLIGHT)

    @property
    def running(self) -> int:
        """Calls that a worker has begun."""
        return self.work.of(JobStatus.RUNNING)

    @property
    def all_finished(self) -> bool:
        return self.finished == self.total

    @property
    def waits_for_money(self) -> bool:
        """Whether every unfinished job is queued and a used-up budget holds some of them."""
        exhausted = any(used_up(budget) for budget in self.budgets)
        return exhausted and self.held > 0 and self._all_queued

    @property
    def stands_still(self) -> bool:
        """Whether nothing can start until a budget is raised or a hold by refused takes is resumed."""
        waits_for_resume = self.held_by_takes >= self.work.of(JobStatus.QUEUED) > 0
        return self.waits_for_money or (waits_for_resume and self._all_queued)

    @property
    def _all_queued(self) -> bool:
        return self.work.of(JobStatus.QUEUED) == self.work.total - self.work.of(*TERMINAL)

    @property
    def exit_code(self) -> Exit:
        return Exit.DONE if self.succeeded == self.total else Exit.SOME_FAILED


def take_snapshot(database: Database, which: ColumnElement[bool], *, embedded: bool) -> Snapshot:
    """Read the figures of a selection. `embedded` means that workers run inside `ttsq run`."""
    with database.read() as connection:
        now = database.now(connection)
        counts = jobs.counts(connection, which)
        if counts.of(*TERMINAL) == counts.total:
            return Snapshot(counts, 0, (), now)
        own_budgets = budgets_of(connection, which, now)
        found = [_for_embedded(hold, embedded=embedded) for hold in holds.holds(connection, now=now)]
        spoken = filters.spoken(connection, which)
        parts = None if spoken is which else jobs.counts(connection, spoken)
        held, having_a_part = count_held(connection, spoken, parts or counts, found, own_budgets)
        refused = held_by_takes(connection, spoken, having_a_part)
        return Snapshot(counts, held, tuple(having_a_part), now, tuple(own_budgets), refused, parts)


def report(snapshot: Snapshot, *, batch: object | None, seconds: float) -> dict[str, Any]:
    """Return the figures as JSON. The keys are a stable interface."""
    return {
        "batch": None if batch is None else str(batch),
        "total": snapshot.total,
        "succeeded": snapshot.succeeded,
        "failed": snapshot.failed,
        "cached": snapshot.counts.cached,
        "cancelled": snapshot.cancelled,
        "held": snapshot.held,
        "hold": _hold(snapshot.holds[0]) if snapshot.holds else None,
        "cost": amount(snapshot.counts.cost),
        "seconds": round(seconds, 3),
    }


def amount(dollars: Decimal) -> str:
    """Format an exact amount for JSON: no exponent, no trailing zeros."""
    return f"{dollars.normalize():f}" if dollars else "0"


def stamp(at: datetime | None) -> str | None:
    """Format a time for JSON: ISO 8601 in UTC, ending in Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "name": hold.name,
        "code": hold.code,
        "message": hold.message,
        "since": stamp(hold.since),
        "until": stamp(hold.until),
    }


def _for_embedded(hold: Hold, *, embedded: bool) -> Hold:
    if hold.code == NO_WORKERS and embedded:
        return replace(hold, message="no worker is running; repeat the same `ttsq run` command to resume")
    return hold
