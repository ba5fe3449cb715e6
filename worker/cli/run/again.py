"""Texts whose paid takes were refused before: what retrying may cost, and whether to."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from worker.cli.console import terminal as console
from worker.cli.console.format import money, number
from worker.cli.console.terminal import Terminal
from worker.cli.run.input import Input
from worker.cli.run.order import Order
from worker.settings import Settings
from worker.store.database import Database
from worker.store.queries import jobs, refusals
from worker.store.queries.refusals import InVain

QUESTION: Final = "Buy them again?"
NOTHING: Final = InVain(0, Decimal(0), {})


def refused(database: Database, wanted: Input) -> InVain:
    """Return what the batch has paid without getting accepted audio."""
    if wanted.batch is None:
        return NOTHING
    with database.read() as connection:
        return refusals.in_vain(connection, jobs.of_batch(wanted.batch))


def agreed(found: InVain, *, order: Order, settings: Settings, terminal: Terminal) -> bool:
    """Return whether to buy refused texts again. Without a terminal only `--yes` does: a script may run every night."""
    if not found.texts or order.rehearse:
        return True
    summary = describe(found, settings.max_takes, source=" of an earlier run")
    if not order.ask:
        terminal.note(f"{summary} Buying them again (--yes).")
        return True
    if order.source is None or not console.can_ask():
        terminal.warn(f"{summary} Not bought again; add --yes to buy them.", style="yellow")
        return False
    terminal.warn(summary)
    return console.agreed(terminal, QUESTION, enter=False)


def describe(found: InVain, max_takes: int, *, source: str = "") -> str:
    """Describe what was paid, and the maximum cost of retrying at list prices. `source` follows the number of texts."""
    list_price = sum((MODELS.price_of(model) * texts for model, texts in found.by_model.items()), Decimal(0))
    paid = f"{money(found.cost)} paid" if found.cost else "possibly billed"
    calls = number(found.texts * max_takes, "more call")
    return (
        f"{number(found.texts, 'text')}{source} finished without accepted audio, {paid}."
        f" Retrying takes up to {calls} and costs at most about {money(list_price * max_takes)}."
    )
