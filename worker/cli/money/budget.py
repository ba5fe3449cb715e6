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
from worker.cli.console import complete
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
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = budgets.standings(connection, now=database.now(connection))
    for budget in found:
        terminal.data(_data(budget))
    if as_json:
        return
    if not found:
        terminal.result("No budget is set; only the account's balance limits spending.")
        return
    terminal.result(_table(found))


def _table(found: Sequence[Budget]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("BUDGET OF", overflow="ellipsis", max_width=32)
    table.add_column("SCOPE", no_wrap=True)
    for name in ("LIMIT", "SPENT", "POSSIBLY BILLED", "IN FLIGHT", "REMAINING"):
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
        subject = f"tenant {budget.tenant}" if budget.month is not None else budget.name
        span = budget.month or ("API key" if budget.batch_id is None else f"batch {short(budget.batch_id)}")
        table.add_row(Text(subject), span, *figures, Text("jobs held", style="yellow") if used_up(budget) else "")
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


def _set_month(tenant: str, text: str, *, as_json: bool) -> None:
    """Limit a tenant's spending per month. Raises BadOptionError or CliError."""
    terminal = Terminal(as_json=as_json)
    limit = dollars("DOLLARS", text)
    if not tenant.strip() or len(tenant) > MAX_NAME_CHARACTERS:
        raise BadOptionError("TENANT", tenant, f"is not a name of 1 to {MAX_NAME_CHARACTERS} characters")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.begin() as connection:
            known = outputs.names(connection)
            budgets.limit_month(connection, tenant, limit)
        month = _month(database)
        after = _standing(database, tenant)
    message = f"Budget of tenant {tenant}: {money(limit)} per calendar month (UTC)."
    if after is not None:
        message += f"\nSpent in {month}: {money(after.spent)}. {_consequence(after, settings)}".rstrip()
    terminal.done(message, **({"tenant": tenant, "limit": amount(limit)} if after is None else _data(after)))
    if tenant not in known:
        terminal.note(f"This tenant has not submitted any job yet{did_you_mean(tenant, known)}", style="yellow")


def _set_batch(wanted: str, text: str, *, as_json: bool) -> None:
    """Limit a batch's spending. Raises BadOptionError, UnknownBatchError or AmbiguousError."""
    terminal = Terminal(as_json=as_json)
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
        message = f"Budget of {name}: {money(limit)}. The batch has finished."
        terminal.done(message, batch=str(batch.id), limit=amount(limit))
        return
    terminal.done(
        f"Budget of {name}: {money(limit)}, {money(after.spent)} spent."
        f" {_consequence(after, settings) or number(waiting, 'job') + ' remaining.'}",
        **_data(after),
    )


def _clear(tenant: str | None, wanted: str | None, *, as_json: bool) -> None:
    """Remove one budget. Raises CliError, UnknownBatchError or AmbiguousError."""
    if (tenant is None) == (wanted is None):
        raise CliError("no budget selected", "pass either TENANT or --batch BATCH")
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        if tenant is not None:
            message = _clear_month(connection, tenant)
            which = filters.of_tenant(job_queries.all_jobs(), tenant)
        else:
            batch = cli_database.batch(connection, wanted or "")
            budgets.limit_batch(connection, batch.id, None)
            message = f"Budget of {batch.name} ({short(batch.id)}) removed."
            which = job_queries.of_batch(batch.id)
        waiting = _waiting(connection, which)
    terminal.done(f"{message} {_next_step(waiting, settings)}".rstrip(), queued=waiting)


def _clear_month(connection: Connection, tenant: str) -> str:
    if budgets.monthly(connection, tenant) is None:
        known = outputs.with_budget(connection)
        budgeted = f"tenants with a budget: {', '.join(known)}" if known else "no tenant has one"
        raise CliError(f"tenant {tenant} has no monthly budget{did_you_mean(tenant, known)}", budgeted)
    budgets.limit_month(connection, tenant, None)
    return f"Monthly budget of tenant {tenant} removed."


def _waiting(connection: Connection, which: ColumnElement[bool]) -> int:
    return job_queries.counts(connection, which).of(*WAITING)


def _next_step(waiting: int, settings: Settings) -> str:
    if not waiting:
        return ""
    next_step = "repeat `ttsq run` to start them" if settings.embedded else "workers start them now"
    return f"{number(waiting, 'job')} queued: {next_step}."


def _consequence(after: Budget, settings: Settings) -> str:
    if used_up(after):
        return f"It does not cover the next call (up to {money(after.wanted or ZERO)}): remaining jobs are held."
    if after.wanted is None:
        return ""
    return "Repeat `ttsq run` to start held jobs." if settings.embedded else "Workers start held jobs now."


def _standings(database: Database) -> list[Budget]:
    with database.read() as connection:
        return budgets.standings(connection, now=database.now(connection))


def _standing(database: Database, tenant: str) -> Budget | None:
    return next((one for one in _standings(database) if one.month is not None and one.tenant == tenant), None)


def _month(database: Database) -> str:
    with database.read() as connection:
        return charges.month_of(database.now(connection))


app = typer.Typer(name="budget", add_completion=False, help="Show and set the budgets of batches and tenants.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Amount = Annotated[str, typer.Argument(metavar="DOLLARS", help="US dollars, such as 25 or 2.50.")]


@app.callback(invoke_without_command=True)
def list_budgets(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per budget.")] = False,
) -> None:
    """List budgets of tenants and unfinished batches. Jobs beyond a budget are held, never failed."""
    if context.invoked_subcommand is not None:
        return

    show(as_json=as_json)


@app.command("set")
def set_month(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant; `ttsq run` submits as `default`.")],
    amount: Amount,
    monthly: Annotated[  # noqa: ARG001 - accepted because it was required once
        bool, typer.Option("--monthly", help="Per calendar month; always so.", hidden=True)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set what a tenant may spend per calendar month (UTC). Jobs beyond it are held until the next month."""

    _set_month(tenant, amount, as_json=as_json)


@app.command("batch")
def set_batch(
    batch: Annotated[
        str, typer.Argument(metavar="BATCH", help="Batch id, id prefix, or file name.", autocompletion=complete.batches)
    ],
    amount: Amount,
    as_json: AsJson = False,
) -> None:
    """Set what a batch may cost in total. Jobs beyond it are held."""

    _set_batch(batch, amount, as_json=as_json)


@app.command("clear")
def clear(
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT", help="Remove this tenant's monthly budget.")] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", "-b", metavar="BATCH", help="Remove this batch's budget.", autocompletion=complete.batches
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove a budget. Held jobs resume."""

    _clear(tenant, batch, as_json=as_json)
