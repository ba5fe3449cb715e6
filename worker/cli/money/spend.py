"""`ttsq spend`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from api_models.spending import By
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError
from worker.cli.console.format import cut, exact, number, short
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import amount
from worker.store.money import spending
from worker.store.money.spending import Filter, Spent

_DATE: Final = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)
REMEDY: Final = "write a day as 2026-11-30, or a month as 2026-11; both in UTC"


def beginning(option: str, text: str | None) -> datetime | None:
    """Return the first moment of a day or month. Raises BadOptionError."""
    return None if text is None else _period(option, text)[0]


def end(option: str, text: str | None) -> datetime | None:
    """Return the first moment after a day or month. Raises BadOptionError."""
    return None if text is None else _period(option, text)[1]


def _period(option: str, text: str) -> tuple[datetime, datetime]:
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise BadOptionError(option, text, "is neither a day nor a month", REMEDY)
    year, month, day = int(found[1]), int(found[2]), found[3]
    try:
        first = datetime(year, month, int(day or 1), tzinfo=UTC)
        last = first if day else datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)
        return first, last + timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadOptionError(option, text, "is not in the calendar", REMEDY) from None


def spend(
    by: Annotated[By, typer.Option("--by", help="Group by.")] = By.DAY,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day or month (UTC): 2026-11-30 or 2026-11.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Last day or month (UTC).")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with all lines and the total.")
    ] = False,
) -> None:
    """Show calls and cost by day, month, batch, model or tenant."""

    show(by, since=since, until=until, tenant=tenant, as_json=as_json)


NAME_CHARACTERS: Final = 24
NO_BATCH: Final = "no batch"


def show(by: By, *, since: str | None, until: str | None, tenant: str | None, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    which = Filter(beginning("--since", since), end("--until", until), tenant)
    if which.since is not None and which.until is not None and which.since >= which.until:
        raise BadOptionError("--until", str(until), f"ends before --since {since} begins")
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        lines = spending.spent(connection, by, which)
    total = spending.total(lines)
    terminal.data(
        {"by": str(by), "since": since, "until": until, "tenant": tenant}
        | {"lines": [_data(line) for line in lines], "total": _figures(total)}
    )
    if as_json:
        return
    if not lines:
        terminal.result("Nothing spent yet." if which == Filter() else "Nothing spent in this selection.")
        return
    terminal.result(_table(by, lines, total))
    if total.possibly_billed:
        verb = "has" if total.possibly_billed == 1 else "have"
        terminal.note(
            f"{number(total.possibly_billed, 'call')} ended without a response and {verb} possibly been billed"
            " in addition.",
            style="dim",
        )
    if total.suspected:
        terminal.note(
            f"${total.suspected.normalize():f} of it for takes that were suspicious and bought again;"
            " see `ttsq takes listen BATCH`.",
            style="dim",
        )


def _table(by: By, lines: Sequence[Spent], total: Spent) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(str(by).upper(), no_wrap=True)
    if by is By.BATCH:
        table.add_column("NAME", overflow="ellipsis", max_width=NAME_CHARACTERS)
    for name in ("CALLS", "PAID", "ESTIMATED", "POSSIBLY BILLED", "COPIES", "SAVED"):
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
    names = [_names(by, line) for line in lines] + [[Text("total", style="bold"), *([""] if by is By.BATCH else [])]]
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
        "suspected": amount(line.suspected),
    }
