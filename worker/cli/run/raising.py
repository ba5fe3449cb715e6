"""How a run goes on whose rest a budget holds: in words, and as commands to be copied. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from decimal import ROUND_UP, Decimal
from typing import Final

from worker.cli.queue.holding import used_up
from worker.cli.run.order import Order
from worker.cli.talk.wording import money, short
from worker.store import charges
from worker.store.budgets import Budget

MARGIN: Final = Decimal("1.1")
"""Calls cost more or less than the mean; a budget that is raised twice is a nuisance."""
CENT: Final = Decimal("0.01")
ZERO: Final = Decimal(0)


def ways(order: Order, budgets: Sequence[Budget], rest: Decimal) -> Iterator[str]:
    """A line for each thing to do; `rest` is about what the held calls will cost."""
    broke = [budget for budget in budgets if used_up(budget)]
    months = [budget for budget in broke if budget.month is not None]
    for budget in months:
        until = charges.span(budget.month or "")[1]
        yield f"  ttsq budget set {shlex.quote(budget.tenant)} {enough(budget, rest)} --monthly"
        yield f"  (or wait: the month ends at {until:%Y-%m-%d %H:%M} UTC)"
    for budget in broke:
        if budget.month is None and order.source is None:
            yield f"  ttsq budget batch {short(budget.batch_id)} {enough(budget, rest)}"
    yield f"  {again(order, max((enough(one, rest) for one in broke if one.month is None), default=None))}"


def again(order: Order, max_cost: Decimal | None) -> str:
    """The same command, which takes the run up again, with this budget."""
    defaults = order.defaults
    options = {
        "--model": defaults.model,
        "--voice": defaults.voice_1,
        "--voice-2": defaults.voice_2,
        "--temperature": defaults.temperature,
        "--format": defaults.format,
        "--loudness": defaults.loudness,
        "--text-column": order.sheet.text_column,
        "--id-column": order.sheet.id_column,
        "--encoding": order.sheet.encoding,
        "--key-template": order.key_template,
        "--expires-after": defaults.expires_after,
        "--priority": defaults.priority,
        "--deadline": defaults.deadline,
        "--on-invalid": "skip" if order.skip_invalid else None,
        "--out": order.out,
        "--max-cost": max_cost,
    }
    words = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    words += [word for tag in defaults.tags or () for word in ("--tag", tag)]
    words += [word for name in order.sheet.sheets for word in ("--sheet", name)]
    words += [word for name in order.sheet.ignored_columns for word in ("--ignore-column", name)]
    words += ["--all-sheets"] if order.sheet.all_sheets else []
    rehearse = ["--rehearse"] if order.rehearse else []
    command = shlex.join(["ttsq", "run", order.typed, *rehearse, *words])
    return f"{command}   (with the same input)" if order.source is None else command


def enough(budget: Budget, rest: Decimal) -> Decimal:
    """A limit that covers the rest, in whole cents."""
    wanted = budget.wanted or ZERO
    return (budget.used + budget.reserved + rest * MARGIN + wanted).quantize(CENT, ROUND_UP)


def spent_words(budgets: Sequence[Budget]) -> str:
    """What the budgets that hold the rest are, and how far they are used up."""
    broke = [budget for budget in budgets if used_up(budget)]
    return "; ".join(
        f"{money(one.spent)} of "
        + ("the run's budget" if one.month is None else f"{one.tenant}'s budget for {one.month}")
        + f" of {money(one.limit)}"
        for one in broke
    )
