"""`ttsq budget`, `ttsq budget set|batch|clear`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import ColumnElement, Connection

from api_models.hints import did_you_mean
from api_models.status import WAITING
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import dollars, exact, money, number, short
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import amount, used_up
from worker.settings import Settings
from worker.store import outputs
from worker.store.database import Database
from worker.store.money import budgets, charges
from worker.store.money.budgets import Budget
from worker.store.queries import filters
from worker.store.queries import jobs as job_queries

NO_MONEY: Final = Decimal(0)


def show(*, as_json: bool) -> None:
    """A table for people, or a line of JSON each for machines."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
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
        exact([max(NO_MONEY, one.limit - one.used - one.reserved) for one in found]),
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


MAX_NAME_CHARACTERS: Final = 64
ZERO: Final = Decimal(0)


def _set_month(tenant: str, text: str, *, monthly: bool) -> None:
    """Limit a tenant's month.

    Raises:
        BadOptionError, CliError
    """
    terminal = Terminal()
    limit = dollars("DOLLARS", text)
    if not monthly:
        raise CliError("a tenant's budget is for a month", f"say so: ttsq budget set {tenant} {text} --monthly")
    if not tenant.strip() or len(tenant) > MAX_NAME_CHARACTERS:
        raise BadOptionError("TENANT", tenant, f"is no name of 1 to {MAX_NAME_CHARACTERS} characters")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.begin() as connection:
            known = outputs.names(connection)
            budgets.limit_month(connection, tenant, limit)
        month = _month(database)
        after = _standing(database, tenant)
    terminal.result(f"The calls of tenant {tenant} may cost {money(limit)} in each calendar month (UTC).")
    if after is not None:
        terminal.result(f"In {month} {money(after.spent)} is spent. {_consequence(after, settings)}".rstrip())
    if tenant not in known:
        terminal.note(f"No job of this tenant has been handed in yet{did_you_mean(tenant, known)}", style="yellow")


def _set_batch(wanted: str, text: str) -> None:
    """Limit a batch.

    Raises:
        BadOptionError, UnknownBatchError, AmbiguousError
    """
    terminal = Terminal()
    limit = dollars("DOLLARS", text)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.begin() as connection:
            batch = cli_database.batch(connection, wanted)
            waiting = job_queries.counts(connection, job_queries.of_batch(batch.id)).of(*WAITING)
            budgets.limit_batch(connection, batch.id, limit)
        after = next((one for one in _standings(database) if one.batch_id == batch.id), None)
    name = f"{batch.name} ({short(batch.id)})"
    if after is None:
        terminal.result(f"The calls of {name} may cost {money(limit)} altogether. It is over: nothing of it waits.")
        return
    terminal.result(
        f"The calls of {name} may cost {money(limit)} altogether; {money(after.spent)} is spent."
        f" {_consequence(after, settings) or number(waiting, 'job') + ' to go.'}"
    )


def _clear(tenant: str | None, wanted: str | None) -> None:
    """Lift one budget.

    Raises:
        CliError, UnknownBatchError, AmbiguousError
    """
    if (tenant is None) == (wanted is None):
        raise CliError("which budget should be lifted?", "name a tenant, or choose a batch with --batch BATCH")
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        if tenant is not None:
            words = _clear_month(connection, tenant)
            which = filters.of_tenant(job_queries.all_jobs(), tenant)
        else:
            batch = cli_database.batch(connection, wanted or "")
            budgets.limit_batch(connection, batch.id, None)
            words = f"Nothing limits what the calls of {batch.name} ({short(batch.id)}) cost now."
            which = job_queries.of_batch(batch.id)
        waiting = _waiting(connection, which)
    terminal.result(f"{words} {_going_on(waiting, settings)}".rstrip())


def _clear_month(connection: Connection, tenant: str) -> str:
    if budgets.monthly(connection, tenant) is None:
        known = outputs.with_budget(connection)
        there = f"budgets are set for {', '.join(known)}" if known else "no tenant has one"
        raise CliError(f"tenant {tenant} has no monthly budget{did_you_mean(tenant, known)}", there)
    budgets.limit_month(connection, tenant, None)
    return f"Nothing limits what the calls of tenant {tenant} cost in a month now."


def _waiting(connection: Connection, which: ColumnElement[bool]) -> int:
    return job_queries.counts(connection, which).of(*WAITING)


def _going_on(waiting: int, settings: Settings) -> str:
    if not waiting:
        return ""
    jobs = f"{number(waiting, 'job')} {'waits' if waiting == 1 else 'wait'}"
    return f"{jobs}: a `ttsq run` starts them." if settings.embedded else f"{jobs}: the workers go on with them."


def _consequence(after: Budget, settings: Settings) -> str:
    if used_up(after):
        return f"It doesn't cover the next call, of up to {money(after.wanted or ZERO)}: the rest is held."
    if after.wanted is None:
        return ""
    return "The same `ttsq run` goes on with what waits." if settings.embedded else "The workers go on with what waits."


def _standings(database: Database) -> list[Budget]:
    with database.read() as connection:
        return budgets.standings(connection, now=database.now(connection))


def _standing(database: Database, tenant: str) -> Budget | None:
    return next((one for one in _standings(database) if one.month is not None and one.tenant == tenant), None)


def _month(database: Database) -> str:
    with database.read() as connection:
        return charges.month_of(database.now(connection))


app = typer.Typer(name="budget", add_completion=False, help="Show and set budgets of batches and of tenants by month.")

Amount = Annotated[str, typer.Argument(metavar="DOLLARS", help="US dollars, such as 25 or 2.50.")]


@app.callback(invoke_without_command=True)
def list_budgets(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a budget, a line each.")] = False,
) -> None:
    """Show the budgets of tenants, and of batches that aren't over. What they don't cover is held, and never fails."""
    if context.invoked_subcommand is not None:
        return

    show(as_json=as_json)


@app.command("set")
def set_month(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help='Whose calls; those of `ttsq run` are "default".')],
    amount: Amount,
    monthly: Annotated[bool, typer.Option("--monthly", help="For each calendar month of UTC.")] = False,
) -> None:
    """Limit what the calls of a tenant may cost in a calendar month of UTC."""

    _set_month(tenant, amount, monthly=monthly)


@app.command("batch")
def set_batch(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="Its id, the beginning of it, or its file's name.")],
    amount: Amount,
) -> None:
    """Raise or lower what the calls of a batch may cost altogether."""

    _set_batch(batch, amount)


@app.command("clear")
def clear(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Whose monthly budget is lifted.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", "-b", help="The batch whose budget is lifted.")] = None,
) -> None:
    """Lift a budget. What it held goes on."""

    _clear(tenant, batch)
