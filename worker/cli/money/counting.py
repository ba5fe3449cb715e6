"""The account's balance, for people and for machines. Costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.text import Text

from worker.cli.money import needs, purse
from worker.cli.money.estimate import Basis
from worker.cli.money.purse import Purse
from worker.cli.queue import opening
from worker.cli.queue.reckoning import amount, stamp
from worker.cli.talk.exits import Exit
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import exact, moment, number
from worker.settings import Settings
from worker.store.database import Database


def show(*, as_json: bool) -> Exit:
    """Print it. UNUSABLE where the API doesn't say."""
    terminal = Terminal(as_json=as_json)
    settings = opening.settings(terminal)
    with queue_if_any(settings) as database:
        found = purse.look(settings, database)
        bases = _bases(database)
    terminal.data(_data(found, bases))
    if not as_json:
        for line in _lines(found, bases):
            terminal.result(line)
    if found.credits is None:
        terminal.trouble(Text.assemble(("ttsq: ", "bold red"), f"the API doesn't tell the balance: {found.trouble}"))
    return Exit.UNUSABLE if found.credits is None else Exit.DONE


@contextmanager
def queue_if_any(settings: Settings) -> Iterator[Database | None]:
    """The queue; None where the first run hasn't made it yet."""
    path = opening.sqlite_file(settings)
    if path is not None and not path.exists():
        yield None
        return
    with opening.queue(settings) as database:
        yield database


def pays_for(dollars: Decimal, basis: Basis) -> int:
    """How many calls."""
    return max(0, int(dollars / basis.price)) if basis.price else 0


def basis_words(basis: Basis) -> str:
    """Where a price comes from."""
    return "list price" if basis.texts is None else f"mean of the last {number(basis.texts, 'text')}"


def _bases(database: Database | None) -> dict[str, Basis]:
    if database is None:
        return needs.prices(None)
    with database.read() as connection:
        return needs.prices(connection)


def _lines(found: Purse, bases: dict[str, Basis]) -> Iterator[Text]:
    if found.credits is not None:
        total, paid, free = exact([found.credits.total, found.credits.paid, found.credits.free])
        yield _fact("balance", f"{total} ({paid} paid for, {free} free)")
    if found.dollars is not None:
        for index, (model, basis) in enumerate(bases.items()):
            calls = number(pays_for(found.dollars, basis), "call")
            words = f"{calls} of {model} at {exact([_rounded(basis.price)])[0]} ({basis_words(basis)})"
            yield _fact("" if index else "pays for", words)
    if found.seen is not None:
        at = moment(found.seen.seen_at, datetime.now(UTC))
        yield _fact("last seen", f"{exact([found.seen.remaining])[0]} by the workers, {at}")


def _rounded(price: Decimal) -> Decimal:
    """A mean has no end of digits."""
    return round(price, 6)


def _fact(name: str, words: str) -> Text:
    return Text.assemble((name.ljust(11), "dim"), words)


def _data(found: Purse, bases: dict[str, Basis]) -> dict[str, Any]:
    dollars = found.dollars
    return {
        "balance": None if found.credits is None else amount(found.credits.total),
        "paid": None if found.credits is None else amount(found.credits.paid),
        "free": None if found.credits is None else amount(found.credits.free),
        "last_seen": None if found.seen is None else amount(found.seen.remaining),
        "last_seen_at": None if found.seen is None else stamp(found.seen.seen_at),
        "models": [
            {
                "model": model,
                "price": amount(_rounded(basis.price)),
                "texts_seen": basis.texts,
                "calls": None if dollars is None else pays_for(dollars, basis),
            }
            for model, basis in bases.items()
        ],
    }
