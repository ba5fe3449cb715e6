"""What a run will cost is said before it begins; a person at the terminal is asked. Nothing is stored or spent yet."""

from __future__ import annotations

from worker.cli.money import needs, purse
from worker.cli.money.needs import Input
from worker.cli.money.quoting import in_short
from worker.cli.run.order import Order
from worker.cli.talk import asking
from worker.cli.talk.terminal import Terminal
from worker.settings import Settings
from worker.store.database import Database

QUESTION = "Go on?"


def agreed(
    database: Database, wanted: Input, *, order: Order, settings: Settings, terminal: Terminal, asked: int
) -> bool:
    """Whether to buy. Where nothing has to be bought, or nobody can answer, nobody is asked; nor is a second time of
    the `asked` texts that are bought again."""
    if order.rehearse:
        return True
    asks = order.ask and order.source is not None and asking.can_ask()
    if terminal.quiet and not asks:
        return True
    found = needs.estimated(database, wanted, settings)
    if found.calls <= asked:
        return True
    allowed = needs.allowance(database, wanted, order.max_cost)
    words = in_short(found, purse.look(settings, database), allowed)
    if not asks:
        terminal.note(words)
        return True
    terminal.trouble(words)  # a question can't be answered without it, quiet or not
    return asking.agreed(terminal, QUESTION)
