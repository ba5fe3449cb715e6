"""A quote, in full or in short: what is to be bought, what it costs, how long it takes, whether the money lasts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from worker.cli.money import needs, purse
from worker.cli.money.counting import basis_words, queue_if_any
from worker.cli.money.estimate import Estimate
from worker.cli.money.needs import Input
from worker.cli.money.purse import Purse
from worker.cli.queue import opening
from worker.cli.queue.reckoning import amount, stamp
from worker.cli.run import destination
from worker.cli.run.order import Order, read
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import duration, moment, money, number

PRICE_DIGITS: Final = 6
"""Behind the point: a mean has no end of digits."""


def show(order: Order, *, as_json: bool) -> None:
    """Print it in full."""
    terminal = Terminal(as_json=as_json)
    settings = opening.settings(terminal)
    rows = read(order, settings, terminal).rows
    place = destination.choose(settings, order.out, stem=order.stem, rehearsal=False)
    wanted = Input(rows, settings.segmind_base_url, place.output_url, order.resume, order.key_template)
    with queue_if_any(settings) as database:
        wanted = needs.with_batch(database, wanted)
        found = needs.estimated(database, wanted, settings)
        allowed = needs.allowance(database, wanted, order.max_cost)
        means = purse.look(settings, database)
    terminal.data(_data(order.title, found, means, allowed))
    if as_json:
        return
    terminal.result(_table(found))
    for name, words in _facts(found, means, allowed):
        terminal.result(Text.assemble(("  " + name.ljust(9), "dim"), words))


def in_short(found: Estimate, means: Purse, allowed: Decimal | None) -> str:
    """What `ttsq run` says before it asks. `allowed` is what the budgets leave."""
    others = f" (the other {number(found.copies, 'text')} needn't be bought)" if found.copies else ""
    words = f"About {money(found.cost)} for {number(found.calls, 'call')}{others}, about {duration(found.seconds)}"
    if allowed is not None and allowed < found.cost:
        covers = f"covers about {found.calls_for(allowed):,}: the rest will be held"
        words += f"; the budget leaves {money(allowed)}, which {covers}"
    return f"{words}; {_means_words(found, means, found.cost if allowed is None else min(found.cost, allowed))}."


def _means_words(found: Estimate, means: Purse, cost: Decimal) -> str:
    if means.dollars is None:
        return f"the balance is not known ({means.trouble})"
    then = "" if means.seen_at is None else f", as last seen {moment(means.seen_at, datetime.now(UTC))}"
    if means.dollars >= cost:
        return f"the balance is {money(means.dollars)}{then}"
    calls = found.calls_for(means.dollars)
    return f"the balance of {money(means.dollars)}{then} pays for about {calls:,}: the rest waits until it is topped up"


def _table(found: Estimate) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("MODEL", no_wrap=True)
    for name in ("LINES", "CACHED", "CALLS", "CHARACTERS", "A CALL", "COST"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("BY")
    for part in found.parts:
        figures = (f"{part.texts:,}", f"{part.copies:,}", f"{part.calls:,}", f"{part.characters:,}")
        table.add_row(part.model, *figures, money(part.basis.price), money(part.cost), basis_words(part.basis))
    figures = (f"{found.texts:,}", f"{found.copies:,}", f"{found.calls:,}", f"{found.characters:,}")
    table.add_row(Text("in all", style="bold"), *figures, "", money(found.cost), "")
    return table


def _facts(found: Estimate, means: Purse, allowed: Decimal | None) -> Iterator[tuple[str, str]]:
    if not found.calls:
        yield "time", "none: everything is there already"
        return
    speed = found.speed
    limits = [
        f"{speed.rpm:g} calls a minute" if speed.rpm else "no limit a minute known",
        number(speed.slots, "slot") if speed.slots else "no worker running now",
    ]
    yield "time", f"about {duration(found.seconds)} ({', '.join(limits)})"
    if allowed is not None:
        covers = f"covers about {found.calls_for(allowed):,} of the calls, and the rest will be held"
        yield "budget", f"{money(allowed)} left: {'enough' if allowed >= found.cost else covers}"
    if means.dollars is None:
        yield "balance", f"not known: {means.trouble}"
        return
    then = "" if means.seen_at is None else f" (as last seen, {moment(means.seen_at, datetime.now(UTC))})"
    if means.dollars >= found.cost:
        yield "balance", f"{money(means.dollars)}{then}: enough"
    else:
        short = found.cost - means.dollars
        calls = found.calls_for(means.dollars)
        yield "balance", f"{money(means.dollars)}{then}: {money(short)} short; it pays for about {calls:,} of the calls"


def _data(title: str, found: Estimate, means: Purse, allowed: Decimal | None) -> dict[str, Any]:
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
