"""`ttsq credits`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from worker.cli import database as cli_database
from worker.cli.console.exits import Exit, leave
from worker.cli.console.format import exact, moment, number
from worker.cli.console.terminal import Terminal
from worker.cli.money import needs
from worker.cli.money.estimate import Basis
from worker.cli.snapshot import amount, stamp
from worker.process.factories import StartError, open_client
from worker.segmind import verdicts
from worker.segmind.answers import Credits
from worker.settings import Settings
from worker.store.database import Database
from worker.store.money import balances
from worker.store.money.balances import Balance

NO_KEY: Final = "SEGMIND_API_KEY is not set here; set it in the environment or in .env"


@dataclass(frozen=True, slots=True)
class AccountCredits:
    credits: Credits | None
    """The API's response; None if it failed."""
    error: str
    """Why it failed."""
    seen: Balance | None
    """The balance last seen by a worker."""

    @property
    def dollars(self) -> Decimal | None:
        """The current balance, or the last one a worker saw."""
        if self.credits is not None:
            return self.credits.total
        return None if self.seen is None else self.seen.remaining

    @property
    def seen_at(self) -> datetime | None:
        """Time of that balance; None if current."""
        return None if self.credits is not None or self.seen is None else self.seen.seen_at


def fetch(settings: Settings, database: Database | None) -> AccountCredits:
    """Ask the API. Never raises for network or API errors."""
    seen = None
    if database is not None:
        with database.read() as connection:
            seen = balances.last(connection)
    if settings.segmind_api_key is None:
        return AccountCredits(None, NO_KEY, seen)
    try:
        client = open_client(settings)
    except StartError as error:
        return AccountCredits(None, f"{error.message}; {error.remedy}", seen)
    try:
        answer = client.credits()
    finally:
        client.close()
    if isinstance(answer, Credits):
        return AccountCredits(answer, "", seen)
    return AccountCredits(None, verdicts.verdict(answer).message or f"the API answered {answer.status}", seen)


def credits(  # noqa: A001 - the API's word
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the account's balance and how many calls it covers. Free."""

    leave(show(as_json=as_json))


def show(*, as_json: bool) -> Exit:
    """Print the balance. Returns UNUSABLE if the API does not report it."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with queue_if_any(settings) as database:
        found = fetch(settings, database)
        bases = _bases(database)
    terminal.data(_data(found, bases))
    if not as_json:
        for line in _lines(found, bases):
            terminal.result(line)
    if found.credits is None:
        terminal.warn(Text.assemble(("ttsq: ", "bold red"), f"the API did not report the balance: {found.error}"))
    return Exit.UNUSABLE if found.credits is None else Exit.DONE


@contextmanager
def queue_if_any(settings: Settings) -> Iterator[Database | None]:
    """Yield the queue, or None before the first run."""
    path = cli_database.sqlite_file(settings)
    if path is not None and not path.exists():
        yield None
        return
    with cli_database.queue(settings) as database:
        yield database


def calls_covered(dollars: Decimal, basis: Basis) -> int:
    return max(0, int(dollars / basis.price)) if basis.price else 0


def describe_basis(basis: Basis) -> str:
    return "list price" if basis.texts is None else f"mean of last {number(basis.texts, 'text')}"


def _bases(database: Database | None) -> dict[str, Basis]:
    if database is None:
        return needs.prices(None)
    with database.read() as connection:
        return needs.prices(connection)


def _lines(found: AccountCredits, bases: dict[str, Basis]) -> Iterator[Text]:
    if found.credits is not None:
        total, paid, free = exact([found.credits.total, found.credits.paid, found.credits.free])
        yield _fact("balance", f"{total} ({paid} paid, {free} free)")
    if found.dollars is not None:
        for index, (model, basis) in enumerate(bases.items()):
            calls = number(calls_covered(found.dollars, basis), "call")
            line = f"{calls} of {model} at {exact([_rounded(basis.price)])[0]} ({describe_basis(basis)})"
            yield _fact("" if index else "covers", line)
    if found.seen is not None:
        at = moment(found.seen.seen_at, datetime.now(UTC))
        yield _fact("last seen", f"{exact([found.seen.remaining])[0]} by the workers, {at}")


def _rounded(price: Decimal) -> Decimal:
    return round(price, 6)


def _fact(name: str, value: str) -> Text:
    return Text.assemble((name.ljust(11), "dim"), value)


def _data(found: AccountCredits, bases: dict[str, Basis]) -> dict[str, Any]:
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
                "calls": None if dollars is None else calls_covered(dollars, basis),
            }
            for model, basis in bases.items()
        ],
    }
