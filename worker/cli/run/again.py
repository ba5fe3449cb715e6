"""Texts whose paid takes were refused before: what trying them again may cost, and whether to."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from worker.cli.console import terminal as console
from worker.cli.console.format import money, number
from worker.cli.console.terminal import Terminal
from worker.cli.money.needs import Input
from worker.cli.run.order import Order
from worker.settings import Settings
from worker.store.database import Database
from worker.store.queries import jobs, refusals
from worker.store.queries.refusals import InVain

QUESTION: Final = "Buy them again?"
NOTHING: Final = InVain(0, Decimal(0), {})


def refused(database: Database, wanted: Input) -> InVain:
    """What the same command has paid for before without getting audio."""
    if wanted.batch is None:
        return NOTHING
    with database.read() as connection:
        return refusals.in_vain(connection, jobs.of_batch(wanted.batch))


def agreed(found: InVain, *, order: Order, settings: Settings, terminal: Terminal) -> bool:
    """Whether to buy them again. Without a terminal only `--yes` does: the same script may run every night."""
    if not found.texts or order.rehearse:
        return True
    words = in_words(found, settings.max_takes, whose="of an earlier run ")
    if not order.ask:
        terminal.note(f"{words} Buying them again (--yes).")
        return True
    if order.source is None or not console.can_ask():
        terminal.warn(f"{words} Not bought again; --yes does so.", style="yellow")
        return False
    terminal.warn(words)
    return console.agreed(terminal, QUESTION, enter=False)


def in_words(found: InVain, max_takes: int, *, whose: str = "") -> str:
    """What was paid, and what trying again costs at most, by the list prices."""
    most = sum((MODELS[model].price * texts for model, texts in found.by_model.items() if model in MODELS), Decimal(0))
    paid = f"{money(found.cost)} paid" if found.cost else "possibly billed"
    calls = number(found.texts * max_takes, "more call")
    return (
        f"{number(found.texts, 'text')} {whose}ended without accepted audio, {paid}."
        f" Trying again takes up to {calls}, about {money(most * max_takes)} at most."
    )
