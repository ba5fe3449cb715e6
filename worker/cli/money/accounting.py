"""The ledger added up, for people and for machines. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from api_models.spending import By
from worker.cli.money import dates
from worker.cli.queue import opening
from worker.cli.queue.reckoning import amount
from worker.cli.talk.errors import BadOptionError
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import cut, exact, number, short
from worker.store import spending
from worker.store.spending import Filter, Spent

NAME_CHARACTERS: Final = 24
NO_BATCH: Final = "no batch"


def show(by: By, *, since: str | None, until: str | None, tenant: str | None, as_json: bool) -> None:
    """Print it."""
    terminal = Terminal(as_json=as_json)
    which = Filter(dates.beginning("--since", since), dates.end("--until", until), tenant)
    if which.since is not None and which.until is not None and which.since >= which.until:
        raise BadOptionError("--until", str(until), f"ends before --since {since} begins")
    with opening.queue(opening.settings(terminal)) as database, database.read() as connection:
        lines = spending.spent(connection, by, which)
    total = spending.total(lines)
    terminal.data(
        {"by": str(by), "since": since, "until": until, "tenant": tenant}
        | {"lines": [_data(line) for line in lines], "total": _figures(total)}
    )
    if as_json:
        return
    if not lines:
        terminal.result("Nothing was spent." if which == Filter() else "Nothing was spent there.")
        return
    terminal.result(_table(by, lines, total))
    if total.possibly_billed:
        verb = "has" if total.possibly_billed == 1 else "have"
        terminal.note(
            f"{number(total.possibly_billed, 'call')} ended without a clear answer, and {verb} possibly been billed"
            " beyond these sums.",
            style="dim",
        )


def _table(by: By, lines: Sequence[Spent], total: Spent) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(str(by).upper(), no_wrap=True)
    if by is By.BATCH:
        table.add_column("NAME", overflow="ellipsis", max_width=NAME_CHARACTERS)
    for name in ("CALLS", "PAID", "OF IT ESTIMATED", "POSSIBLY BILLED", "COPIES", "SAVED"):
        table.add_column(name, justify="right")
    rows = [*lines, total]
    columns = (
        [f"{line.calls:,}" for line in rows],
        exact([line.paid for line in rows]),
        exact([line.estimated for line in rows]),
        [f"{line.possibly_billed:,}" for line in rows],
        [f"{line.copies:,}" for line in rows],
        exact([line.saved for line in rows]),
    )
    names = [_names(by, line) for line in lines] + [[Text("in all", style="bold"), *([""] if by is By.BATCH else [])]]
    for name, *cells in zip(names, *columns, strict=True):
        table.add_row(*name, *cells)
    return table


def _names(by: By, line: Spent) -> list[str | Text]:
    if by is By.BATCH:
        return [NO_BATCH if line.key is None else short(line.key), Text(cut(line.name or "", NAME_CHARACTERS))]
    return [line.key or ""]


def _data(line: Spent) -> dict[str, Any]:
    return {"key": line.key, "name": line.name} | _figures(line)


def _figures(line: Spent) -> dict[str, Any]:
    return {
        "calls": line.calls,
        "paid": amount(line.paid),
        "estimated": amount(line.estimated),
        "possibly_billed": line.possibly_billed,
        "copies": line.copies,
        "saved": amount(line.saved),
    }
