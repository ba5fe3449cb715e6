"""The budgets and how far they are used up, for people and for machines. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from worker.cli.queue import opening
from worker.cli.queue.holding import used_up
from worker.cli.queue.reckoning import amount
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import exact, short
from worker.store import budgets
from worker.store.budgets import Budget

ZERO: Final = Decimal(0)


def show(*, as_json: bool) -> None:
    """A table for people, or a line of JSON each for machines."""
    terminal = Terminal(as_json=as_json)
    with opening.queue(opening.settings(terminal)) as database, database.read() as connection:
        found = budgets.standings(connection, now=database.now(connection))
    for budget in found:
        terminal.data(_data(budget))
    if as_json:
        return
    if not found:
        terminal.result("No budget is set: nothing but the account's balance limits what is spent.")
        return
    terminal.result(_table(found))


def _table(found: Sequence[Budget]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("OF", overflow="ellipsis", max_width=32)
    table.add_column("FOR", no_wrap=True)
    for name in ("BUDGET", "SPENT", "POSSIBLY", "IN FLIGHT", "LEFT"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    columns = (
        exact([one.limit for one in found]),
        exact([one.spent for one in found]),
        exact([one.unclear for one in found]),
        exact([one.reserved for one in found]),
        exact([max(ZERO, one.limit - one.used - one.reserved) for one in found]),
    )
    for budget, *figures in zip(found, *columns, strict=True):
        whose = f"tenant {budget.tenant}" if budget.month is not None else budget.name
        span = budget.month or ("API key" if budget.batch_id is None else f"batch {short(budget.batch_id)}")
        table.add_row(Text(whose), span, *figures, Text("holds the rest", style="yellow") if used_up(budget) else "")
    return table


def _data(budget: Budget) -> dict[str, Any]:
    return {
        "tenant": budget.tenant,
        "batch": None if budget.batch_id is None else str(budget.batch_id),
        "key": None if budget.key_id is None else str(budget.key_id),
        "name": budget.name,
        "month": budget.month,
        "limit": amount(budget.limit),
        "spent": amount(budget.spent),
        "possibly_billed": amount(budget.unclear),
        "reserved": amount(budget.reserved),
        "holds": used_up(budget),
    }
