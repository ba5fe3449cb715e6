"""`ttsq quote FILE`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from worker.cli import database as cli_database
from worker.cli.console.format import dollars, duration, moment, money, number
from worker.cli.console.option_groups import takes
from worker.cli.console.terminal import Terminal
from worker.cli.money import credits as account_credits
from worker.cli.money import needs
from worker.cli.money.credits import AccountCredits, describe_basis, queue_if_any
from worker.cli.money.estimate import Estimate
from worker.cli.run import order as run_order
from worker.cli.run.document import join_style, with_stems
from worker.cli.run.input import Input, read_order, with_batch
from worker.cli.run.options import Captions, CastName, File, Gaps, KeyTemplate, MaxCost, Out, Preset, Resume, Stems
from worker.cli.run.order import Order
from worker.cli.run.row_options import RowOptions
from worker.cli.snapshot import amount, stamp

PRICE_DIGITS: Final = 6
"""Decimal places of a mean price."""


def show(order: Order, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    order, judged = read_order(order, settings, terminal)
    rows = judged.rows
    place = run_order.choose(settings, order.out, stem=order.stem, rehearsal=False)
    wanted = Input(
        rows, settings.segmind_base_url, place.output_url, order.resume, order.key_template, sources=order.sources
    )
    with queue_if_any(settings) as database:
        wanted = with_batch(database, wanted)
        found = needs.estimated(database, wanted, settings)
        allowed = needs.allowance(database, wanted, order.max_cost)
        means = account_credits.fetch(settings, database)
    terminal.data(_data(order.title, found, means, allowed))
    if as_json:
        return
    terminal.result(_table(found))
    for name, value in _facts(found, means, allowed):
        terminal.result(Text.assemble(("  " + name.ljust(9), "dim"), value))


def in_short(found: Estimate, means: AccountCredits, allowed: Decimal | None) -> str:
    """Return the one-line estimate of `ttsq run`. `allowed` is what the budgets leave."""
    others = f" ({number(found.copies, 'text')} copied at no cost)" if found.copies else ""
    summary = f"About {money(found.cost)} for {number(found.calls, 'call')}{others}, about {duration(found.seconds)}"
    if allowed is not None and allowed < found.cost:
        covers = f"covers about {found.calls_for(allowed):,}: the rest will be held"
        summary += f"; the budget leaves {money(allowed)}, which {covers}"
    return f"{summary}; {_describe_balance(found, means, found.cost if allowed is None else min(found.cost, allowed))}."


def _describe_balance(found: Estimate, means: AccountCredits, cost: Decimal) -> str:
    if means.dollars is None:
        return f"the balance is unknown ({means.error})"
    then = "" if means.seen_at is None else f", as last seen {moment(means.seen_at, datetime.now(UTC))}"
    if means.dollars >= cost:
        return f"the balance is {money(means.dollars)}{then}"
    calls = found.calls_for(means.dollars)
    return f"the balance of {money(means.dollars)}{then} covers about {calls:,}: the rest is held until it is topped up"


def _table(found: Estimate) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("MODEL", no_wrap=True)
    for name in ("LINES", "CACHED", "CALLS", "CHARACTERS", "PER CALL", "COST"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("PRICE BASIS")
    for part in found.parts:
        figures = (f"{part.texts:,}", f"{part.copies:,}", f"{part.calls:,}", f"{part.characters:,}")
        table.add_row(part.model, *figures, money(part.basis.price), money(part.cost), describe_basis(part.basis))
    figures = (f"{found.texts:,}", f"{found.copies:,}", f"{found.calls:,}", f"{found.characters:,}")
    table.add_row(Text("total", style="bold"), *figures, "", money(found.cost), "")
    return table


def _facts(found: Estimate, means: AccountCredits, allowed: Decimal | None) -> Iterator[tuple[str, str]]:
    if not found.calls:
        yield "time", "none: all audio already exists"
        return
    speed = found.speed
    limits = [
        f"{speed.rpm:g} calls per minute" if speed.rpm else "rate limit unknown",
        number(speed.slots, "slot") if speed.slots else "no worker running",
    ]
    yield "time", f"about {duration(found.seconds)} ({', '.join(limits)})"
    if allowed is not None:
        covers = f"covers about {found.calls_for(allowed):,} of the calls; the rest will be held"
        yield "budget", f"{money(allowed)} remaining: {'enough' if allowed >= found.cost else covers}"
    if means.dollars is None:
        yield "balance", f"unknown: {means.error}"
        return
    then = "" if means.seen_at is None else f" (as last seen, {moment(means.seen_at, datetime.now(UTC))})"
    if means.dollars >= found.cost:
        yield "balance", f"{money(means.dollars)}{then}: enough"
    else:
        short = found.cost - means.dollars
        calls = found.calls_for(means.dollars)
        yield "balance", f"{money(means.dollars)}{then}: {money(short)} short; covers about {calls:,} of the calls"


def _data(title: str, found: Estimate, means: AccountCredits, allowed: Decimal | None) -> dict[str, Any]:
    return {
        "source": title,
        "lines": found.texts,
        "cached": found.copies,
        "calls": found.calls,
        "characters": found.characters,
        "cost": _price(found.cost),
        "seconds": round(found.seconds, 1),
        "rpm": found.speed.rpm,
        "slots": found.speed.slots,
        "allowed": None if allowed is None else amount(allowed),
        "balance": None if means.dollars is None else amount(means.dollars),
        "balance_seen_at": stamp(means.seen_at),
        "suffices": None if means.dollars is None else means.dollars >= found.cost,
        "models": [
            {
                "model": part.model,
                "lines": part.texts,
                "cached": part.copies,
                "calls": part.calls,
                "characters": part.characters,
                "price": _price(part.basis.price),
                "texts_seen": part.basis.texts,
                "cost": _price(part.cost),
            }
            for part in found.parts
        ],
    }


def _price(dollars: Decimal) -> str:
    return amount(round(dollars, PRICE_DIGITS))


@takes(rows=RowOptions)
def quote(
    *,
    file: File,
    rows: RowOptions,
    key_template: KeyTemplate = None,
    out: Out = None,
    resume: Resume = True,
    max_cost: MaxCost = None,
    preset: Preset = "",
    captions: Captions = None,
    gap: Gaps = None,
    cast: CastName = "",
    stems: Stems = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Estimate the cost and duration of `ttsq run`. Queues nothing."""

    order = Order(
        source=None if str(file) == "-" else file,
        sheet=rows.sheet_options(),
        defaults=rows.defaults(),
        style=join_style(preset, with_stems(captions, stems=stems), gap or ()),
        cast=cast,
        key_template=key_template,
        out=out,
        resume=resume,
        max_cost=None if max_cost is None else dollars("--max-cost", max_cost),
    )
    show(order, as_json=as_json)
