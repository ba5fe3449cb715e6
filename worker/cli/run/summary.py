"""What a run says at its end: what there is, where, what it cost, and what to do about what isn't there. Words only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from rich.text import Text

from api_models.status import JobStatus
from worker.cli.queue.reckoning import Snapshot
from worker.cli.run.rehearsal import DATABASE_URL as REHEARSAL_DATABASE_URL
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import cut, duration, money, number, short
from worker.store.views import JobRecord

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
        terminal.trouble(f"  {trouble}", style="yellow")
    for way in ending.ways:
        terminal.trouble(f"  {way}")
    if ending.shortage is not None:
        _shortage(terminal, ending.shortage)
    elif unsuccessful and not ending.ways:
        asks = "; it asks before it buys again what was paid for and refused" if ending.asks_again else ""
        terminal.note(f"  The same command tries again what failed, and buys no accepted audio twice{asks}.")


def _shortage(terminal: Terminal, shortage: Shortage) -> None:
    rest = f"the rest needs about {money(shortage.rest)} more" if shortage.rest else "the rest is copied"
    terminal.trouble(f"  {shortage.spent} spent: {rest}. Nothing failed; to go on:")
    for way in shortage.ways:
        terminal.trouble(f"  {way}")


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
        terminal.trouble(Text.assemble("  ", (failure_words(job), "red")))
    if (more := ending.snapshot.failed - len(ending.failures[:SHOWN_FAILURES])) > 0:
        terminal.trouble(f"  and {more:,} more: {_list_command(ending)}")


def failure_words(job: JobRecord) -> str:
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
