"""One batch: its jobs by state, its place in the queue, and about how long it will take. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.text import Text

from worker.cli.batch import states
from worker.cli.follow.progress import hold_words
from worker.cli.money import needs
from worker.cli.money.estimate import Estimate
from worker.cli.queue import lookup, opening
from worker.cli.queue.reckoning import Snapshot, look, report
from worker.cli.run.summary import SHOWN_FAILURES, UNASKED, failure_words
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import duration, moment, money, number, short
from worker.settings import Settings
from worker.store import queueing, views
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queueing import Position
from worker.store.views import JobRecord


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to come."""

    position: Position | None
    """None where nothing of it is queued."""
    rest: Estimate

    @property
    def seconds(self) -> float:
        """Until it is over, if nothing holds it: its own calls, and those that start between them."""
        if not self.rest.calls or self.position is None:
            return self.rest.seconds
        return self.rest.seconds * (self.rest.calls + self.position.all) / self.rest.calls


def show(wanted: str, *, as_json: bool) -> None:
    """Print it."""
    terminal = Terminal(as_json=as_json)
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.read() as connection:
            batch = lookup.batch(connection, wanted)
        snapshot = look(database, views.of_batch(batch.id), embedded=settings.embedded)
        outlook = None if snapshot.over else _outlook(database, batch, settings)
        with database.read() as connection:
            failures = views.jobs(connection, views.of_batch(batch.id), states=UNASKED, most=SHOWN_FAILURES)
    terminal.data(_data(batch, snapshot, outlook))
    if not as_json:
        _tell(terminal, batch, snapshot, outlook, failures)


def _outlook(database: Database, batch: BatchRecord, settings: Settings) -> Outlook:
    with database.read() as connection:
        position = queueing.position(connection, batch.id)
    return Outlook(position, needs.remaining(database, batch.id, settings))


def _is_held(snapshot: Snapshot) -> bool:
    """Whether nothing can be said of when it will be over: all that isn't over waits for something to be lifted."""
    return snapshot.held > 0 and snapshot.held >= snapshot.total - snapshot.finished - snapshot.in_flight


def _data(batch: BatchRecord, snapshot: Snapshot, outlook: Outlook | None) -> dict[str, Any]:
    found = states.as_data(batch, snapshot.counts, over=snapshot.over)
    found |= {name: report(snapshot, batch=batch.id, seconds=0)[name] for name in ("held", "hold")}
    known = outlook is not None and not _is_held(snapshot)
    return found | {
        "before": outlook.position.all if outlook is not None and outlook.position is not None else 0,
        "seconds_left": round(outlook.seconds, 1) if known and outlook is not None else None,
        "cost_left": None if outlook is None else f"{round(outlook.rest.cost, 6):f}",
    }


def _tell(
    terminal: Terminal, batch: BatchRecord, snapshot: Snapshot, outlook: Outlook | None, failures: list[JobRecord]
) -> None:
    state = states.state_of(batch, over=snapshot.over)
    terminal.result(Text.assemble((batch.name, "bold"), f"  {number(snapshot.total, 'text')}, {state}"))
    for name, value in _facts(batch, snapshot, outlook):
        terminal.result(Text.assemble(("  " + name.ljust(11), "dim"), value))
    for hold in snapshot.holds:
        terminal.result(f"  {hold_words(hold, snapshot.at)}", style="yellow")
    for job in failures:
        terminal.result(f"  {failure_words(job)}", style="red")
    if (more := snapshot.failed - len(failures)) > 0:
        terminal.result(f"  and {more:,} more: `ttsq jobs list --batch {short(batch.id)}` has them all")


def _facts(batch: BatchRecord, snapshot: Snapshot, outlook: Outlook | None) -> list[tuple[str, str]]:
    facts = [("id", str(batch.id)), ("handed in", moment(batch.created_at, snapshot.at))]
    facts += [(str(status), f"{count:,}") for status, count in sorted(snapshot.counts.by_status.items())]
    facts += [("cached", f"{snapshot.counts.cached:,}"), ("spent", money(snapshot.counts.cost))]
    if outlook is not None:
        facts += _prospects(snapshot, outlook)
    facts += [("audio", batch.output_url or ""), ("results", batch.results_uri or "")]
    return [(name, value) for name, value in facts if value]


def _prospects(snapshot: Snapshot, outlook: Outlook) -> list[tuple[str, str]]:
    place = outlook.position
    found = []
    if place is not None:
        found.append(("in between", f"{number(place.all, 'job')} of others, {place.before:,} of them more urgent"))
    left = f"about {duration(outlook.seconds)}"
    found.append(("time left", "not to be told while it is held" if _is_held(snapshot) else left))
    found.append(("to be paid", f"about {money(outlook.rest.cost)} for {number(outlook.rest.calls, 'call')}"))
    return found
