"""The summary at the end of a run: results, location, cost, failures and remedies. Output only."""

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
"""Calls vary around the mean price; a suggested budget must suffice."""
CENT: Final = Decimal("0.01")
ZERO: Final = Decimal(0)


def remedies(order: Order, budgets: Sequence[Budget], rest: Decimal) -> Iterator[str]:
    """Yield one remedy per line; `rest` is the estimated cost of the held calls."""
    exhausted = [budget for budget in budgets if used_up(budget)]
    months = [budget for budget in exhausted if budget.month is not None]
    for budget in months:
        until = charges.span(budget.month or "")[1]
        yield f"  ttsq budget set {shlex.quote(budget.tenant)} {enough(budget, rest)}"
        yield f"  (or wait until the month ends at {until:%Y-%m-%d %H:%M} UTC)"
    for budget in exhausted:
        if budget.month is None and order.source is None:
            yield f"  ttsq budget batch {short(budget.batch_id)} {enough(budget, rest)}"
    yield f"  {again(order, max((enough(one, rest) for one in exhausted if one.month is None), default=None))}"


def again(order: Order, max_cost: Decimal | None) -> str:
    defaults = order.defaults
    options = {
        "--model": defaults.model,
        "--voice": defaults.voice_1,
        "--voice-2": defaults.voice_2,
        "--temperature": defaults.temperature,
        "--format": defaults.format,
        "--loudness": defaults.loudness,
        "--sample-rate": defaults.sample_rate,
        "--mp3-bitrate": defaults.mp3_bitrate,
        "--title": defaults.title,
        "--artist": defaults.artist,
        "--album": defaults.album,
        "--track": defaults.track,
        "--text-column": order.sheet.text_column,
        "--id-column": order.sheet.id_column,
        "--encoding": order.sheet.encoding,
        "--input-format": order.sheet.input_format,
        "--key-template": order.key_template,
        "--timings": defaults.timings,
        "--expires-after": defaults.expires_after,
        "--priority": defaults.priority,
        "--deadline": defaults.deadline,
        "--on-invalid": "skip" if order.skip_invalid else None,
        "--out": order.recording or order.out,
        "--preset": order.style.preset or None,
        "--max-cost": max_cost,
    }
    arguments = [argument for name, value in options.items() if value is not None for argument in (name, str(value))]
    arguments += [argument for tag in defaults.tags or () for argument in ("--tag", tag)]
    arguments += [argument for name in order.sheet.sheets for argument in ("--sheet", name)]
    arguments += [argument for name in order.sheet.ignored_columns for argument in ("--ignore-column", name)]
    arguments += [argument for kind in order.style.sidecars for argument in ("--captions", str(kind))]
    arguments += [argument for gap, value in order.style.gaps.items() for argument in ("--gap", f"{gap}={value:g}")]
    arguments += ["--provenance"] if defaults.provenance else []
    arguments += ["--all-sheets"] if order.sheet.all_sheets else []
    rehearse = ["--rehearse"] if order.rehearse else []
    command = shlex.join(["ttsq", "run", order.typed, *rehearse, *arguments])
    return f"{command}   (with the same input)" if order.source is None else command


def enough(budget: Budget, rest: Decimal) -> Decimal:
    """Return a limit in whole cents that covers the rest."""
    wanted = budget.wanted or ZERO
    return (budget.used + budget.reserved + rest * MARGIN + wanted).quantize(CENT, ROUND_UP)


def describe_spent(budgets: Sequence[Budget]) -> str:
    exhausted = [budget for budget in budgets if used_up(budget)]
    return "; ".join(
        f"{money(one.spent)} of "
        + ("the run's budget" if one.month is None else f"{one.tenant}'s budget for {one.month}")
        + f" of {money(one.limit)}"
        for one in exhausted
    )


SHOWN_FAILURES: Final = 10
UNEXPECTED: Final = (JobStatus.FAILED, JobStatus.EXPIRED)
"""Outcomes without audio that need an explanation; cancelling was intended."""
MESSAGE_CHARACTERS: Final = 160


@dataclass(frozen=True, slots=True)
class Shortage:
    held: int
    spent: str
    """Usage of the budget, as text."""
    rest: Decimal
    """Estimated cost of the held texts."""
    remedies: Sequence[str]
    """Commands that resume, one per line."""


@dataclass(frozen=True, slots=True)
class Ending:
    snapshot: Snapshot
    batch: object
    place: str
    """Location of the audio, as printed."""
    seconds: float
    spent_before: Decimal
    """Cost of the batch when this command resumed it."""
    done_before: int
    failures: Sequence[JobRecord]
    """The first failed or expired jobs."""
    problems: Sequence[str]
    """Other problems, one sentence each: failed copies, missing files."""
    rehearsal: bool
    shortage: Shortage | None = None
    unsound: int = 0
    """Texts without a correct file."""
    refused: int = 0
    """Texts held because earlier takes were refused."""
    remedies: Sequence[str] = ()
    """Remedies for those, one per line."""
    asks_again: bool = False
    """Whether some texts finished without audio after paid takes."""


def summarize(terminal: Terminal, ending: Ending) -> None:
    """Print the summary. Failures are printed even if quiet."""
    terminal.result(_headline(ending))
    unsuccessful = ending.snapshot.total - ending.snapshot.succeeded
    if unsuccessful:
        _failures(terminal, ending)
    for name, value in _facts(ending):
        terminal.result(Text.assemble(("  " + name.ljust(8), "dim"), value))
    for problem in ending.problems:
        terminal.warn(f"  {problem}", style="yellow")
    for remedy in ending.remedies:
        terminal.warn(f"  {remedy}")
    if ending.shortage is not None:
        _shortage(terminal, ending.shortage)
    elif unsuccessful and not ending.remedies:
        asks = "; it asks before buying refused takes again" if ending.asks_again else ""
        terminal.note(f"  Repeat the command to retry failed texts; accepted audio is not bought again{asks}.")


def _shortage(terminal: Terminal, shortage: Shortage) -> None:
    rest = (
        f"the remaining texts need about {money(shortage.rest)} more"
        if shortage.rest
        else "the remaining texts are copied"
    )
    terminal.warn(f"  {shortage.spent} spent: {rest}. Nothing failed; to continue:")
    for remedy in shortage.remedies:
        terminal.warn(f"  {remedy}")


def _headline(ending: Ending) -> Text:
    snapshot = ending.snapshot
    if snapshot.succeeded == snapshot.total and ending.unsound:
        unsound = f"{ending.unsound:,} of {number(snapshot.total, 'file')}"
        holds = "does not match its text" if snapshot.total == 1 else "do not match their text"
        return Text.assemble(("✗ ", "red"), f"{unsound} {holds}")
    if snapshot.succeeded == snapshot.total:
        if ending.done_before == snapshot.total:
            return Text.assemble(
                ("✓ ", "green"),
                f"{_all(snapshot.total)} already spoken; nothing to buy",
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
    """Describe one job that finished without audio: line, name and error."""
    line = f"line {job.line}" if job.line is not None else str(job.id)
    # A job named after its line needs no second name.
    named = job.custom_id is not None and not (job.custom_id.isdigit() and int(job.custom_id) == job.line)
    name = f", {job.custom_id}" if named else ""
    status = "" if job.status is JobStatus.FAILED else f"{job.status}, "
    return f"{line}{name}: {status}{job.code}: {cut(job.message or '', MESSAGE_CHARACTERS)}"


def _facts(ending: Ending) -> list[tuple[str, str]]:
    snapshot = ending.snapshot
    facts = [("audio", ending.place)] if snapshot.succeeded else []
    facts.append(("spent", _spent(ending)))
    if snapshot.counts.cached:
        facts.append(("cached", f"{snapshot.counts.cached:,} copied from earlier audio at no cost"))
    if not ending.rehearsal:
        facts.append(("batch", short(ending.batch)))
    return facts


def _spent(ending: Ending) -> str:
    cost = ending.snapshot.counts.cost
    if ending.rehearsal:
        return f"nothing: rehearsal with the emulator (the real API would charge about {money(cost)})"
    if ending.spent_before:
        return f"{money(cost - ending.spent_before)} now, {money(cost)} in total"
    return money(cost)


def _list_command(ending: Ending) -> str:
    if ending.rehearsal:
        return "in the rehearsal's queue, TTSQ_DATABASE_URL=" + REHEARSAL_DATABASE_URL
    return f"`ttsq jobs list --batch {short(ending.batch)}` lists all"
