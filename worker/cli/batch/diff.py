"""`ttsq batch diff`: compare an input with a batch made from an earlier version. Queues nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from worker import producer
from worker.cli import database as cli_database
from worker.cli.console.format import cut, money, number
from worker.cli.console.terminal import Terminal
from worker.cli.money import needs
from worker.cli.money.estimate import Estimate
from worker.cli.run.input import Input, read
from worker.cli.run.lexicons import with_lexicons
from worker.cli.run.order import Order
from worker.cli.snapshot import amount
from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults, Row
from worker.store.queries import results
from worker.store.queries.results import Content

SHOWN: Final = 10
PRICE_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """The custom_ids of the input by how they differ, and those that only the batch has."""

    unchanged: tuple[str, ...]
    """Same content, and spoken."""
    unspoken: tuple[str, ...]
    """Same content, not spoken yet."""
    changed: tuple[str, ...]
    added: tuple[str, ...]
    gone: tuple[str, ...]


def diff(wanted: str, source: Path | None, defaults: Defaults, sheet: SheetOptions, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    order = Order(source=source, defaults=defaults, out=None, resume=True, sheet=sheet)
    order, prepare = with_lexicons(order, settings)
    rows = read(order, settings, terminal, prepare).rows
    origin = settings.segmind_base_url
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
            known = results.of_batch(connection, batch.id)
        found = compare(rows, known, origin=origin, tenant=batch.tenant, shared=settings.shares_content)
        estimate = needs.estimated(database, Input(rows, origin, None, resume=True), settings)
    terminal.data(_data(str(batch.id), found, estimate))
    if not as_json:
        _print(terminal, found, estimate)


def compare(
    rows: Iterable[Row], known: dict[str, Content], *, origin: str, tenant: str, shared: bool = False
) -> Difference:
    """Compare by custom_id, which defaults to the line number. Pure."""
    groups: dict[str, list[str]] = {"unchanged": [], "unspoken": [], "changed": [], "added": []}
    names = set[str]()
    for row in rows:
        name = row.request.custom_id or ""
        names.add(name)
        before = known.get(name)
        if before is None:
            group = "added"
        elif before.fingerprint != producer.content_of(row.request, origin=origin, tenant=tenant, shared=shared):
            group = "changed"
        else:
            group = "unchanged" if before.spoken else "unspoken"
        groups[group].append(name)
    gone = tuple(name for name in known if name not in names)
    return Difference(gone=gone, **{group: tuple(found) for group, found in groups.items()})


def _data(batch: str, found: Difference, estimate: Estimate) -> dict[str, Any]:
    return {
        "batch": batch,
        "unchanged": len(found.unchanged),
        "unspoken": list(found.unspoken),
        "changed": list(found.changed),
        "added": list(found.added),
        "gone": list(found.gone),
        "calls": estimate.calls,
        "copies": estimate.copies,
        "cost": amount(round(estimate.cost, PRICE_DIGITS)),
    }


def _print(terminal: Terminal, found: Difference, estimate: Estimate) -> None:
    groups = [
        ("unchanged", "already spoken", found.unchanged, False),
        ("unspoken", "same content, not spoken yet", found.unspoken, True),
        ("changed", "different text, voice or format", found.changed, True),
        ("new", "not in the batch", found.added, True),
        ("gone", "only in the batch; audio is kept", found.gone, True),
    ]
    for label, meaning, names, listed in groups:
        terminal.result(Text.assemble(f"{len(names):>9,}  {label:<10}", (meaning, "dim")))
        if listed and names:
            more = f", and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
            terminal.result(Text(f"           {cut(', '.join(names[:SHOWN]), 160)}{more}", style="dim"))
    if not estimate.calls:
        terminal.result("Nothing to buy.")
        return
    cost = money(Decimal(estimate.cost))
    copies = f"; the other {number(estimate.copies, 'text')} would be copied" if estimate.copies else ""
    terminal.result(f"About {cost} for {number(estimate.calls, 'call')}{copies}.")
