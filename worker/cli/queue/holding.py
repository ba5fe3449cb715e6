"""What holds the jobs of a selection, and how many of them. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection

from api_models.status import IN_FLIGHT, WAITING
from worker.cli.talk.wording import money
from worker.store import budgets, charges, holds, selections, views
from worker.store.budgets import Budget
from worker.store.holds import BUDGET_PREFIX, PAUSED_PREFIX, TAKES_PREFIX, Hold
from worker.store.views import Counts

_MODEL_PREFIX: Final = "model:"
_WORKERS: Final = "workers"
BUDGET: Final = "budget"


def budgets_of(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[Budget]:
    """The budgets that limit jobs of a selection that aren't over."""
    found = budgets.standings(connection, now=now)
    return [one for one in found if views.counts(connection, selections.unfinished(_limited(which, one))).total]


def used_up(budget: Budget) -> bool:
    """Whether the next call isn't covered, whatever those in flight will turn out to have cost."""
    return budget.wanted is not None and budget.used + budget.wanted > budget.limit


def held(
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
            part = selections.of_model(which, hold.name.removeprefix(_MODEL_PREFIX))
        elif hold.name.startswith(TAKES_PREFIX):
            part = selections.both(which, holds.takes_selection(hold.name))
        elif hold.name.startswith(PAUSED_PREFIX):
            part = selections.both(which, views.of_batch(UUID(hold.name.removeprefix(PAUSED_PREFIX))))
        else:
            holding.append(hold)
            continue
        if views.counts(connection, part).of(*WAITING, *IN_FLIGHT):
            holding.append(hold)
            parts.append(part)
    if len(holding) > len(parts):
        return counts.of(*WAITING), holding
    return (views.counts(connection, selections.either(parts)).of(*WAITING) if parts else 0), holding


def held_by_takes(connection: Connection, which: ColumnElement[bool], having_a_part: Sequence[Hold]) -> int:
    """How many jobs of a selection wait because takes before them were refused."""
    parts = [holds.takes_selection(hold.name) for hold in having_a_part if hold.name.startswith(TAKES_PREFIX)]
    if not parts:
        return 0
    return views.counts(connection, selections.both(which, selections.either(parts))).of(*WAITING)


def _limited(which: ColumnElement[bool], budget: Budget) -> ColumnElement[bool]:
    if budget.batch_id is not None:
        return selections.both(which, views.of_batch(budget.batch_id))
    if budget.key_id is not None:
        return selections.both(which, views.of_key(budget.key_id))
    return selections.of_tenant(which, budget.tenant)


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
