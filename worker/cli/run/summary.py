"""What a run says at its end: what there is, where, what it cost, and what to do about what isn't there. Words only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Final

from rich.text import Text

from api_models.status import JobStatus
from worker.cli.console.format import cut, duration, money, number, short
from worker.cli.console.terminal import Terminal
from worker.cli.run.order import Order
from worker.cli.run.rehearsal import DATABASE_URL as REHEARSAL_DATABASE_URL
from worker.cli.snapshot import Snapshot, used_up
from worker.store.money import charges
from worker.store.money.budgets import Budget
from worker.store.queries.jobs import JobRecord

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


def describe_spent(budgets: Sequence[Budget]) -> str:
    """What the budgets that hold the rest are, and how far they are used up."""
    broke = [budget for budget in budgets if used_up(budget)]
    return "; ".join(
        f"{money(one.spent)} of "
        + ("the run's budget" if one.month is None else f"{one.tenant}'s budget for {one.month}")
        + f" of {money(one.limit)}"
        for one in broke
    )


SHOWN_FAILURES: Final = 10
UNASKED: Final = (JobStatus.FAILED, JobStatus.EXPIRED)
"""Ends without audio that call for a reason; a cancelled job's is known to whoever cancelled it."""
MESSAGE_CHARACTERS: Final = 160


@dataclass(frozen=True, slots=True)
class Shortage:
    """What a budget keeps from being spoken."""

    held: int
    """Texts."""
    spent: str
    """How far the budget is used up."""
    rest: Decimal
    """About what the held texts will cost."""
    ways: Sequence[str]
    """What to do about it, a line each."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything the summary goes by."""

    snapshot: Snapshot
    batch: object
    place: str
    """Where the audio is, for people."""
    seconds: float
    spent_before: Decimal
    """What the batch had cost when this command took it up again."""
    done_before: int
    failures: Sequence[JobRecord]
    """The first of those that failed or expired."""
    troubles: Sequence[str]
    """What else went wrong, a sentence each: audio that couldn't be copied, files that are gone."""
    rehearsal: bool
    shortage: Shortage | None = None
    unsound: int = 0
    """Texts whose file doesn't hold them."""
    refused: int = 0
    """Texts that are held because takes before them were refused."""
    ways: Sequence[str] = ()
    """What to do about those, a line each."""
    asks_again: bool = False
    """Some texts ended without audio after paid takes."""


def summarize(terminal: Terminal, ending: Ending) -> None:
    """Print it. What failed is printed even where all else is kept quiet."""
    terminal.result(_headline(ending))
    unsuccessful = ending.snapshot.total - ending.snapshot.succeeded
    if unsuccessful:
        _failures(terminal, ending)
    for name, value in _facts(ending):
        terminal.result(Text.assemble(("  " + name.ljust(8), "dim"), value))
    for trouble in ending.troubles:
        terminal.warn(f"  {trouble}", style="yellow")
    for way in ending.ways:
        terminal.warn(f"  {way}")
    if ending.shortage is not None:
        _shortage(terminal, ending.shortage)
    elif unsuccessful and not ending.ways:
        asks = "; it asks before it buys again what was paid for and refused" if ending.asks_again else ""
        terminal.note(f"  The same command tries again what failed, and buys no accepted audio twice{asks}.")


def _shortage(terminal: Terminal, shortage: Shortage) -> None:
    rest = f"the rest needs about {money(shortage.rest)} more" if shortage.rest else "the rest is copied"
    terminal.warn(f"  {shortage.spent} spent: {rest}. Nothing failed; to go on:")
    for way in shortage.ways:
        terminal.warn(f"  {way}")


def _headline(ending: Ending) -> Text:
    snapshot = ending.snapshot
    if snapshot.succeeded == snapshot.total and ending.unsound:
        unsound = f"{ending.unsound:,} of {number(snapshot.total, 'file')}"
        holds = "doesn't hold its text" if snapshot.total == 1 else "don't hold their text"
        return Text.assemble(("✗ ", "red"), f"{unsound} {holds}")
    if snapshot.succeeded == snapshot.total:
        if ending.done_before == snapshot.total:
            return Text.assemble(
                ("✓ ", "green"),
                f"{_all(snapshot.total)} already spoken; there was nothing left to do and nothing to buy",
            )
        return Text.assemble(("✓ ", "green"), f"{number(snapshot.total, 'text')} spoken in {duration(ending.seconds)}")
    held = 0 if ending.shortage is None else ending.shortage.held
    parts = [
        f"{snapshot.succeeded:,} of {number(snapshot.total, 'text')} spoken",
        f"{held:,} held by the budget" if held else "",
        f"{ending.refused:,} held by refused takes" if ending.refused else "",
        f"{snapshot.failed:,} failed" if snapshot.failed else "",
        f"{snapshot.cancelled:,} cancelled" if snapshot.cancelled else "",
    ]
    mark = ("■ ", "yellow") if (held or ending.refused) and not snapshot.failed else ("✗ ", "red")
    return Text.assemble(mark, f"{', '.join(filter(None, parts))}, in {duration(ending.seconds)}")


def _all(total: int) -> str:
    return "The text was" if total == 1 else f"All {total:,} texts were"


def _failures(terminal: Terminal, ending: Ending) -> None:
    for job in ending.failures[:SHOWN_FAILURES]:
        terminal.warn(Text.assemble("  ", (describe_failure(job), "red")))
    if (more := ending.snapshot.failed - len(ending.failures[:SHOWN_FAILURES])) > 0:
        terminal.warn(f"  and {more:,} more: {_list_command(ending)}")


def describe_failure(job: JobRecord) -> str:
    """One job that ended without audio: where it stands in the input, what it is called, and why."""
    line = f"line {job.line}" if job.line is not None else str(job.id)
    # A job named after its line has its name said already.
    named = job.custom_id is not None and not (job.custom_id.isdigit() and int(job.custom_id) == job.line)
    name = f", {job.custom_id}" if named else ""
    status = "" if job.status is JobStatus.FAILED else f"{job.status}, "
    return f"{line}{name}: {status}{job.code}: {cut(job.message or '', MESSAGE_CHARACTERS)}"


def _facts(ending: Ending) -> list[tuple[str, str]]:
    snapshot = ending.snapshot
    facts = [("audio", ending.place)] if snapshot.succeeded else []
    facts.append(("spent", _spent(ending)))
    if snapshot.counts.cached:
        facts.append(("cached", f"{snapshot.counts.cached:,} copied from audio bought before, at no cost"))
    if not ending.rehearsal:
        facts.append(("batch", short(ending.batch)))
    return facts


def _spent(ending: Ending) -> str:
    cost = ending.snapshot.counts.cost
    if ending.rehearsal:
        return f"nothing: this was a rehearsal, spoken by the emulator (the real API would charge about {money(cost)})"
    if ending.spent_before:
        return f"{money(cost - ending.spent_before)} now, {money(cost)} in all"
    return money(cost)


def _list_command(ending: Ending) -> str:
    if ending.rehearsal:
        return "they are in the rehearsal's queue, TTSQ_DATABASE_URL=" + REHEARSAL_DATABASE_URL
    return f"`ttsq jobs list --batch {short(ending.batch)}` has them all"
