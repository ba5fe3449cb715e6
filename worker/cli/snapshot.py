"""How a batch, or the whole queue, stands at one moment: read once, then told to people and machines alike."""

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
    """The budgets that limit jobs of a selection that aren't over."""
    found = budgets.standings(connection, now=now)
    return [one for one in found if jobs.counts(connection, filters.unfinished(_limited(which, one))).total]


def used_up(budget: Budget) -> bool:
    """Whether the next call isn't covered, whatever those in flight will turn out to have cost."""
    return budget.wanted is not None and budget.used + budget.wanted > budget.limit


def count_held(
    connection: Connection,
    which: ColumnElement[bool],
    counts: Counts,
    found: Sequence[Hold],
    mine: Sequence[Budget],
) -> tuple[int, list[Hold]]:
    """How many wait because of a hold, and which holds have a part in it: some hold only a part of the jobs."""
    holding: list[Hold] = []
    parts: list[ColumnElement[bool]] = []
    for hold, budget in _among(found, mine):
        if budget is not None:
            part = _limited(which, budget)
        elif hold.name.startswith(_MODEL_PREFIX):
            part = filters.of_model(which, hold.name.removeprefix(_MODEL_PREFIX))
        elif hold.name.startswith(TAKES_PREFIX):
            part = filters.both(which, holds.takes_selection(hold.name))
        elif hold.name.startswith(PAUSED_PREFIX):
            part = filters.both(which, jobs.of_batch(UUID(hold.name.removeprefix(PAUSED_PREFIX))))
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
    """How many jobs of a selection wait because takes before them were refused."""
    parts = [holds.takes_selection(hold.name) for hold in having_a_part if hold.name.startswith(TAKES_PREFIX)]
    if not parts:
        return 0
    return jobs.counts(connection, filters.both(which, filters.either(parts))).of(*WAITING)


def _limited(which: ColumnElement[bool], budget: Budget) -> ColumnElement[bool]:
    if budget.batch_id is not None:
        return filters.both(which, jobs.of_batch(budget.batch_id))
    if budget.key_id is not None:
        return filters.both(which, jobs.of_key(budget.key_id))
    return filters.of_tenant(which, budget.tenant)


def _among(found: Sequence[Hold], mine: Sequence[Budget]) -> Iterator[tuple[Hold, Budget | None]]:
    """All holds, those of budgets behind the account's and before the workers'."""
    for hold in found:
        if hold.name != _WORKERS and not hold.name.startswith(BUDGET_PREFIX):
            yield hold, None
    for budget in mine:
        if used_up(budget):
            yield _hold_of(budget), budget
    for hold in found:
        if hold.name == _WORKERS:
            yield hold, None


def _hold_of(budget: Budget) -> Hold:
    """A budget that is used up, as something that holds jobs."""
    figures = f"{money(budget.spent)} of {money(budget.limit)} spent"
    if budget.unclear:
        figures += f", {money(budget.unclear)} possibly billed"
    next_one = f", and the next call may cost {money(budget.wanted)}" if budget.wanted is not None else ""
    if budget.month is None:
        subject, until = budget.name if budget.key_id is None else f"API key {budget.name}", None
    else:
        subject, until = f"tenant {budget.tenant} in {budget.month}", charges.span(budget.month)[1]
    name = f"{BUDGET}:{budget.payer}"
    return Hold(name, "budget_used_up", f"{subject}: {figures}{next_one}", None, until)


NO_WORKERS: Final = "no_workers"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one moment."""

    counts: Counts
    held: int
    """Jobs that wait while something holds them."""
    holds: tuple[Hold, ...]
    """What holds jobs of this selection back, the heaviest first."""
    at: datetime
    budgets: tuple[Budget, ...] = ()
    """What limits the cost of jobs of this selection that aren't over."""
    held_by_takes: int = 0
    """Jobs that wait because takes before them were refused one after another."""

    @property
    def total(self) -> int:
        """All jobs."""
        return self.counts.total

    @property
    def succeeded(self) -> int:
        """Jobs whose audio is there, bought or copied."""
        return self.counts.of(JobStatus.SUCCEEDED)

    @property
    def failed(self) -> int:
        """Jobs that ended without audio though nobody called them off: failed, and expired before their start."""
        return self.counts.of(JobStatus.FAILED, JobStatus.EXPIRED)

    @property
    def cancelled(self) -> int:
        """Jobs that were called off."""
        return self.counts.of(JobStatus.CANCELLED)

    @property
    def finished(self) -> int:
        """Jobs that are over, one way or the other."""
        return self.counts.of(*TERMINAL)

    @property
    def in_flight(self) -> int:
        """Jobs that occupy a slot."""
        return self.counts.of(*IN_FLIGHT)

    @property
    def all_finished(self) -> bool:
        """Whether nothing is left to be done."""
        return self.finished == self.total

    @property
    def waits_for_money(self) -> bool:
        """Whether nothing more can start before a budget is raised: nothing is under way, nor waits for a time."""
        broke = any(used_up(budget) for budget in self.budgets)
        return broke and self.held > 0 and self._all_queued

    @property
    def stands_still(self) -> bool:
        """Whether nothing more can start before a budget is raised or what refused takes hold is resumed."""
        waits_for_resume = self.held_by_takes >= self.counts.of(JobStatus.QUEUED) > 0
        return self.waits_for_money or (waits_for_resume and self._all_queued)

    @property
    def _all_queued(self) -> bool:
        return self.counts.of(JobStatus.QUEUED) == self.total - self.finished

    @property
    def exit_code(self) -> Exit:
        """What a script should be told once it is over."""
        return Exit.DONE if self.succeeded == self.total else Exit.SOME_FAILED


def take_snapshot(database: Database, which: ColumnElement[bool], *, embedded: bool) -> Snapshot:
    """Read the figures of a selection. `embedded` says that workers live inside `ttsq run`."""
    with database.read() as connection:
        now = database.now(connection)
        counts = jobs.counts(connection, which)
        if counts.of(*TERMINAL) == counts.total:
            return Snapshot(counts, 0, (), now)
        mine = budgets_of(connection, which, now)
        found = [_fitting(hold, embedded=embedded) for hold in holds.holds(connection, now=now)]
        held, having_a_part = count_held(connection, which, counts, found, mine)
        refused = held_by_takes(connection, which, having_a_part)
        return Snapshot(counts, held, tuple(having_a_part), now, tuple(mine), refused)


def report(snapshot: Snapshot, *, batch: object | None, seconds: float) -> dict[str, Any]:
    """The figures for machines. The keys are a promise."""
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
    """An exact amount as machines read it: no exponent, no trailing zeros."""
    return f"{dollars.normalize():f}" if dollars else "0"


def stamp(at: datetime | None) -> str | None:
    """A moment as machines read it: ISO 8601 in UTC, ending in Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "name": hold.name,
        "code": hold.code,
        "message": hold.message,
        "since": stamp(hold.since),
        "until": stamp(hold.until),
    }


def _fitting(hold: Hold, *, embedded: bool) -> Hold:
    if hold.code == NO_WORKERS and embedded:
        return replace(hold, message="nothing is running now; the same `ttsq run` command goes on with it")
    return hold
