"""Budgets set and lifted, and what that means for the jobs that wait."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, Connection

from api_models.hints import did_you_mean
from api_models.status import WAITING
from worker.cli.money.amounts import dollars
from worker.cli.queue import lookup, opening
from worker.cli.queue.holding import used_up
from worker.cli.talk.errors import BadOptionError, CliError
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import money, number, short
from worker.settings import Settings
from worker.store import budgets, charges, selections, tenants, views
from worker.store.budgets import Budget
from worker.store.database import Database

MOST_NAME_CHARACTERS: Final = 64
ZERO: Final = Decimal(0)


def set_month(tenant: str, text: str, *, monthly: bool) -> None:
    """Limit a tenant's month.

    Raises:
        BadOptionError, CliError
    """
    terminal = Terminal()
    limit = dollars("DOLLARS", text)
    if not monthly:
        raise CliError("a tenant's budget is for a month", f"say so: ttsq budget set {tenant} {text} --monthly")
    if not tenant.strip() or len(tenant) > MOST_NAME_CHARACTERS:
        raise BadOptionError("TENANT", tenant, f"is no name of 1 to {MOST_NAME_CHARACTERS} characters")
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.begin() as connection:
            known = tenants.names(connection)
            budgets.limit_month(connection, tenant, limit)
        month = _month(database)
        after = _standing(database, tenant)
    terminal.result(f"The calls of tenant {tenant} may cost {money(limit)} in each calendar month (UTC).")
    if after is not None:
        terminal.result(f"In {month} {money(after.spent)} is spent. {_consequence(after, settings)}".rstrip())
    if tenant not in known:
        terminal.note(f"No job of this tenant has been handed in yet{did_you_mean(tenant, known)}", style="yellow")


def set_batch(wanted: str, text: str) -> None:
    """Limit a batch.

    Raises:
        BadOptionError, UnknownBatchError, AmbiguousError
    """
    terminal = Terminal()
    limit = dollars("DOLLARS", text)
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.begin() as connection:
            batch = lookup.batch(connection, wanted)
            waiting = views.counts(connection, views.of_batch(batch.id)).of(*WAITING)
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


def clear(tenant: str | None, wanted: str | None) -> None:
    """Lift one budget.

    Raises:
        CliError, UnknownBatchError, AmbiguousError
    """
    if (tenant is None) == (wanted is None):
        raise CliError("which budget should be lifted?", "name a tenant, or choose a batch with --batch BATCH")
    terminal = Terminal()
    settings = opening.settings(terminal)
    with opening.queue(settings) as database, database.begin() as connection:
        if tenant is not None:
            words = _clear_month(connection, tenant)
            which = selections.of_tenant(views.everything(), tenant)
        else:
            batch = lookup.batch(connection, wanted or "")
            budgets.limit_batch(connection, batch.id, None)
            words = f"Nothing limits what the calls of {batch.name} ({short(batch.id)}) cost now."
            which = views.of_batch(batch.id)
        waiting = _waiting(connection, which)
    terminal.result(f"{words} {_going_on(waiting, settings)}".rstrip())


def _clear_month(connection: Connection, tenant: str) -> str:
    if budgets.monthly(connection, tenant) is None:
        known = tenants.with_budget(connection)
        there = f"budgets are set for {', '.join(known)}" if known else "no tenant has one"
        raise CliError(f"tenant {tenant} has no monthly budget{did_you_mean(tenant, known)}", there)
    budgets.limit_month(connection, tenant, None)
    return f"Nothing limits what the calls of tenant {tenant} cost in a month now."


def _waiting(connection: Connection, which: ColumnElement[bool]) -> int:
    return views.counts(connection, which).of(*WAITING)


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
