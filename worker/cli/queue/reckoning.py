"""How a batch, or the whole queue, stands at one moment: read once, then told to people and machines alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement

from api_models.status import IN_FLIGHT, TERMINAL, JobStatus
from worker.cli.queue import holding
from worker.cli.talk.exits import Exit
from worker.store import holds, views
from worker.store.budgets import Budget
from worker.store.database import Database
from worker.store.holds import Hold
from worker.store.views import Counts

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
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return self.finished == self.total

    @property
    def waits_for_money(self) -> bool:
        """Whether nothing more can start before a budget is raised: nothing is under way, nor waits for a time."""
        broke = any(holding.used_up(budget) for budget in self.budgets)
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


def look(database: Database, which: ColumnElement[bool], *, embedded: bool) -> Snapshot:
    """Read the figures of a selection. `embedded` says that workers live inside `ttsq run`."""
    with database.read() as connection:
        now = database.now(connection)
        counts = views.counts(connection, which)
        if counts.of(*TERMINAL) == counts.total:
            return Snapshot(counts, 0, (), now)
        mine = holding.budgets_of(connection, which, now)
        found = [_fitting(hold, embedded=embedded) for hold in holds.holds(connection, now=now)]
        held, having_a_part = holding.held(connection, which, counts, found, mine)
        refused = holding.held_by_takes(connection, which, having_a_part)
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
