"""API keys, made, shown and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

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
"""Typed in place of an amount, it lifts a budget."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it was asked for."""

    name: str
    tenant: str
    scopes: tuple[Scope, ...]
    rate: int | None
    budget: str | None


def add(wanted: NewKey, *, as_json: bool) -> None:
    """A new key, shown once."""
    terminal = Terminal(as_json=as_json)
    if not wanted.tenant or len(wanted.tenant) > 64 or not wanted.tenant.isprintable():
        raise CliError("a tenant's name has 1 to 64 visible characters", "give another --tenant")
    budget = None if wanted.budget is None else _dollars(wanted.budget)
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        record, key = api_keys.make(
            connection,
            tenant=wanted.tenant,
            name=wanted.name,
            scopes=wanted.scopes or EVERYTHING,
            rate=wanted.rate,
            budget=budget,
            now=database.now(connection),
        )
    terminal.data(_data(record) | {"key": key})
    if not as_json:
        terminal.result(key)
        terminal.note("This is the only time it is shown. Send it as `Authorization: Bearer …`.")


def show(*, as_json: bool) -> None:
    """Every key, the revoked ones too."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = api_keys.listed(connection)
    for record in found:
        terminal.data(_data(record))
        if not as_json:
            terminal.result(_line(record))
    if not found:
        terminal.note("There are no keys; `ttsq keys add NAME` makes one.")


def revoke(wanted: str) -> None:
    """Close the door to whoever has it."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = _named(wanted, [one for one in api_keys.listed(connection) if one.revoked_at is None])
        api_keys.revoke(connection, record.id, now=database.now(connection))
    terminal.result(f"{record.name} ({record.prefix}…) is revoked.")


def limit(wanted: str, dollars: str) -> None:
    """Set what the jobs of a key may cost altogether. A revoked key may have jobs that wait for it.

    Raises:
        CliError, AmbiguousError
    """
    terminal = Terminal()
    budget = None if dollars == UNLIMITED else _dollars(dollars)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = _named(wanted, api_keys.listed(connection))
        budgets.limit_key(connection, record.id, budget)
        after = limits.of_key(connection, record.id)
    if after is None:
        terminal.result(f"No budget limits the jobs of {record.name} ({record.prefix}…) now.")
        return
    spent = money(after.spent + after.unclear)
    terminal.result(f"The jobs of {record.name} may cost {money(after.amount)} altogether; {spent} is spent.")


def _named(wanted: str, records: Sequence[KeyRecord]) -> KeyRecord:
    found = [record for record in records if wanted in {str(record.id), record.name} or _begins(record, wanted)]
    if not found:
        raise CliError(f"there is no such key that is good: {wanted}", "`ttsq keys list` shows all")
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
        raise CliError(f"{text} is no budget", "give US dollars, such as 25 or 0.50")
    return amount


def _line(record: KeyRecord) -> str:
    parts = [f"{record.prefix}…", record.name, f"tenant {record.tenant}", " ".join(sorted(record.scopes))]
    if record.rate is not None:
        parts.append(f"{record.rate} a minute")
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
