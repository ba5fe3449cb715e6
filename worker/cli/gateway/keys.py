"""`ttsq keys add|list|budget|revoke`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from api_models.access import EVERYTHING, Scope
from worker.cli import database as cli_database
from worker.cli.console.errors import AmbiguousError, CliError
from worker.cli.console.format import money
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.store.access import api_keys
from worker.store.access.api_keys import KeyRecord
from worker.store.money import budgets, limits

MAX_BUDGET = Decimal(1_000_000)
UNLIMITED = "none"
"""Typed instead of an amount, removes a budget."""


app = typer.Typer(name="keys", add_completion=False, help="Create, limit and revoke API keys.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Result = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Key id, name, or the visible beginning of the key.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the key.")],
    *,
    tenant: Annotated[str, typer.Option(help="Tenant of the key.")] = "default",
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", "-s", help="A permission; repeatable.", show_default="all but installation"),
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Requests per minute.", show_default="no limit")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Total budget of its jobs in US dollars.", show_default="no limit")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key. The key is shown only once."""
    terminal = Terminal(as_json=as_json)
    if not tenant or len(tenant) > 64 or not tenant.isprintable():
        raise CliError("a tenant's name has 1 to 64 printable characters", "choose another --tenant")
    limit = None if budget is None else _dollars(budget)
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        record, key = api_keys.make(
            connection,
            tenant=tenant,
            name=name,
            scopes=tuple(scope or EVERYTHING),
            rate=rate,
            budget=limit,
            now=database.now(connection),
        )
    terminal.data(_data(record) | {"key": key})
    if not as_json:
        terminal.result(key)
        terminal.note("Save this key now; it is not shown again. Send it as `Authorization: Bearer …`.")


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List keys with their scopes, limits and last use."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = api_keys.listed(connection)
    for record in found:
        terminal.data(_data(record))
        if not as_json:
            terminal.result(_line(record))
    if not found:
        terminal.note("No keys; create one with `ttsq keys add NAME`.")


@app.command("budget")
def limit_key(
    key: Key,
    dollars: Annotated[str, typer.Argument(metavar="DOLLARS", help="US dollars, or `none` for no budget.")],
    as_json: Result = False,
) -> None:
    """Set the total budget of a key's jobs. Jobs beyond it are held."""
    # Revoked keys are included: they may have held jobs.
    terminal = Terminal(as_json=as_json)
    budget = None if dollars == UNLIMITED else _dollars(dollars)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = _named(key, api_keys.listed(connection))
        budgets.limit_key(connection, record.id, budget)
        after = limits.of_key(connection, record.id)
    if after is None:
        message = f"Budget of {record.name} ({record.prefix}…) removed."
        terminal.done(message, key=str(record.id), budget=None)
        return
    spent = after.spent + after.unclear
    message = f"Budget of {record.name}: {money(after.amount)}, {money(spent)} spent."
    terminal.done(message, key=str(record.id), budget=f"{after.amount:f}", spent=f"{spent:f}")


@app.command("revoke")
def revoke(key: Key, as_json: Result = False) -> None:
    """Revoke a key; takes effect within 5 seconds."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = _named(key, [one for one in api_keys.listed(connection) if one.revoked_at is None])
        api_keys.revoke(connection, record.id, now=database.now(connection))
    terminal.done(f"{record.name} ({record.prefix}…) is revoked.", key=str(record.id), name=record.name)


def _named(wanted: str, records: Sequence[KeyRecord]) -> KeyRecord:
    found = [record for record in records if wanted in {str(record.id), record.name} or _begins(record, wanted)]
    if not found:
        raise CliError(f"no valid key {wanted}", "`ttsq keys list` lists all")
    if len(found) > 1:
        raise AmbiguousError("key", wanted, [str(record.id) for record in found])
    return found[0]


def _begins(record: KeyRecord, wanted: str) -> bool:
    return len(wanted) >= len(record.prefix) and wanted.startswith(record.prefix)


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MAX_BUDGET:
        raise CliError(f"{text} is not a budget", "write US dollars, such as 25 or 0.50")
    return amount


def _line(record: KeyRecord) -> str:
    parts = [f"{record.prefix}…", record.name, f"tenant {record.tenant}", " ".join(sorted(record.scopes))]
    if record.rate is not None:
        parts.append(f"{record.rate} per minute")
    if record.budget is not None:
        parts.append(f"budget ${record.budget:f}")
    parts.append(f"used {stamp(record.last_used_at)}" if record.last_used_at else "never used")
    if record.revoked_at is not None:
        parts.append("revoked")
    return "  ".join(parts)


def _data(record: KeyRecord) -> dict[str, object]:
    return {
        "id": str(record.id),
        "name": record.name,
        "tenant": record.tenant,
        "prefix": record.prefix,
        "scopes": sorted(record.scopes),
        "rate": record.rate,
        "budget": None if record.budget is None else f"{record.budget:f}",
        "created_at": stamp(record.created_at),
        "last_used_at": stamp(record.last_used_at),
        "revoked_at": stamp(record.revoked_at),
    }
