"""`ttsq batch list|show`: jobs by state, position in the queue, time and cost remaining. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from api_models.status import TERMINAL, JobStatus
from worker.cli import database as cli_database
from worker.cli.console.format import duration, moment, money, number, short
from worker.cli.console.progress import describe_hold
from worker.cli.console.terminal import Terminal
from worker.cli.money import needs
from worker.cli.money.estimate import Estimate
from worker.cli.run.summary import SHOWN_FAILURES, UNEXPECTED, describe_failure
from worker.cli.snapshot import Snapshot, amount, report, stamp, take_snapshot
from worker.settings import Settings
from worker.store import batches
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import jobs
from worker.store.queries import position as queue_position
from worker.store.queries.jobs import Counts, JobRecord
from worker.store.queries.position import Position


def state_of(batch: BatchRecord, *, over: bool) -> str:
    """Return the state for JSON: `over` means that all jobs have finished and the result files are still being
    written."""
    if over:
        return "over" if batch.finished_at is None else "finished"
    return "under way" if batch.paused_at is None else "paused"


def describe_state(batch: BatchRecord, *, over: bool) -> str:
    if over:
        return "finishing" if batch.finished_at is None else "finished"
    return "running" if batch.paused_at is None else "paused"


def as_data(batch: BatchRecord, counts: Counts, *, over: bool) -> dict[str, Any]:
    """Return the batch as JSON. The keys are a stable interface."""
    return {
        "id": str(batch.id),
        "name": batch.name,
        "tenant": batch.tenant,
        "state": state_of(batch, over=over),
        "total": counts.total,
        "counts": {str(status): number for status, number in sorted(counts.by_status.items())},
        "cached": counts.cached,
        "cost": amount(counts.cost),
        "created_at": stamp(batch.created_at),
        "paused_at": stamp(batch.paused_at),
        "finished_at": stamp(batch.finished_at),
        "results": batch.results_uri,
    }


@dataclass(frozen=True, slots=True)
class Outlook:
    position: Position | None
    """None if no job of the batch is queued."""
    rest: Estimate

    @property
    def seconds(self) -> float:
        """Seconds until the batch finishes if nothing holds it, including calls ahead of it."""
        if not self.rest.calls or self.position is None:
            return self.rest.seconds
        return self.rest.seconds * (self.rest.calls + self.position.all) / self.rest.calls


def show(wanted: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
        snapshot = take_snapshot(database, jobs.of_batch(batch.id), embedded=settings.embedded)
        outlook = None if snapshot.all_finished else _outlook(database, batch, settings)
        with database.read() as connection:
            failures = jobs.jobs(connection, jobs.of_batch(batch.id), states=UNEXPECTED, most=SHOWN_FAILURES)
    terminal.data(_data(batch, snapshot, outlook))
    if not as_json:
        _print(terminal, batch, snapshot, outlook, failures)


def _outlook(database: Database, batch: BatchRecord, settings: Settings) -> Outlook:
    with database.read() as connection:
        position = queue_position.position(connection, batch.id)
    return Outlook(position, needs.remaining(database, batch.id, settings))


def _is_held(snapshot: Snapshot) -> bool:
    """Return whether every unfinished job that is not in flight is held, so that no time can be estimated."""
    return snapshot.held > 0 and snapshot.held >= snapshot.total - snapshot.finished - snapshot.in_flight


def _data(batch: BatchRecord, snapshot: Snapshot, outlook: Outlook | None) -> dict[str, Any]:
    found = as_data(batch, snapshot.counts, over=snapshot.all_finished)
    found |= {name: report(snapshot, batch=batch.id, seconds=0)[name] for name in ("held", "hold")}
    known = outlook is not None and not _is_held(snapshot)
    return found | {
        "before": outlook.position.all if outlook is not None and outlook.position is not None else 0,
        "seconds_left": round(outlook.seconds, 1) if known and outlook is not None else None,
        "cost_left": None if outlook is None else f"{round(outlook.rest.cost, 6):f}",
    }


def _print(
    terminal: Terminal, batch: BatchRecord, snapshot: Snapshot, outlook: Outlook | None, failures: list[JobRecord]
) -> None:
    state = describe_state(batch, over=snapshot.all_finished)
    terminal.result(Text.assemble((batch.name, "bold"), f"  {number(snapshot.total, 'text')}, {state}"))
    for name, value in _facts(batch, snapshot, outlook):
        terminal.result(Text.assemble(("  " + name.ljust(16), "dim"), value))
    for hold in snapshot.holds:
        terminal.result(f"  {describe_hold(hold, snapshot.at)}", style="yellow")
    for job in failures:
        terminal.result(f"  {describe_failure(job)}", style="red")
    if (more := snapshot.failed - len(failures)) > 0:
        terminal.result(f"  and {more:,} more: `ttsq jobs list --batch {short(batch.id)}` lists all")


def _facts(batch: BatchRecord, snapshot: Snapshot, outlook: Outlook | None) -> list[tuple[str, str]]:
    facts = [("id", str(batch.id)), ("submitted", moment(batch.created_at, snapshot.at))]
    facts += [(str(status), f"{count:,}") for status, count in sorted(snapshot.counts.by_status.items())]
    facts += [("cached", f"{snapshot.counts.cached:,}"), ("spent", money(snapshot.counts.cost))]
    if outlook is not None:
        facts += _remaining(snapshot, outlook)
    facts += [("audio", batch.output_url or ""), ("results", batch.results_uri or "")]
    return [(name, value) for name, value in facts if value]


def _remaining(snapshot: Snapshot, outlook: Outlook) -> list[tuple[str, str]]:
    position = outlook.position
    found = []
    if position is not None:
        found.append(("ahead in queue", f"{number(position.all, 'job')} ({position.before:,} with higher priority)"))
    time = "unknown while on hold" if _is_held(snapshot) else f"about {duration(outlook.seconds)}"
    found.append(("time remaining", time))
    found.append(("cost remaining", f"about {money(outlook.rest.cost)} for {number(outlook.rest.calls, 'call')}"))
    return found


def list_batches(*, limit: int, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        now = database.now(connection)
        found = [
            (batch, jobs.counts(connection, jobs.of_batch(batch.id)))
            for batch in batches.latest(connection, most=limit)
        ]
    for batch, counts in found:
        terminal.data(as_data(batch, counts, over=_over(counts)))
    if as_json:
        return
    terminal.result(_table(found, now) if found else "No batches submitted yet.")


def _over(counts: Counts) -> bool:
    return counts.of(*TERMINAL) == counts.total


def _table(found: Sequence[tuple[BatchRecord, Counts]], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("BATCH", no_wrap=True)
    table.add_column("NAME", overflow="ellipsis", max_width=24)
    table.add_column("SUBMITTED", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for name in ("TOTAL", "SUCCEEDED", "REMAINING", "SPENT"):
        table.add_column(name, justify="right", no_wrap=True)
    for batch, counts in found:
        table.add_row(
            short(batch.id),
            Text(batch.name),
            moment(batch.created_at, now),
            describe_state(batch, over=_over(counts)),
            f"{counts.total:,}",
            f"{counts.of(JobStatus.SUCCEEDED):,}",
            f"{counts.total - counts.of(*TERMINAL):,}",
            money(counts.cost),
        )
    return table
