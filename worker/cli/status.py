"""`ttsq status [BATCH]`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import ColumnElement

from api_models.status import WAITING
from worker.cli import database as cli_database
from worker.cli.console import complete
from worker.cli.console.exits import Exit, Interrupts, leave
from worker.cli.console.format import duration, moment, money, number, short
from worker.cli.console.progress import describe_hold, progress
from worker.cli.console.terminal import Terminal
from worker.cli.run.summary import SHOWN_FAILURES, UNEXPECTED, describe_failure
from worker.cli.snapshot import Snapshot, report, take_snapshot
from worker.cli.watch import watch
from worker.process import peers
from worker.settings import Settings
from worker.store import batches, workers
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import jobs

SHOWN_BATCHES: Final = 15
WATCH_SECONDS: Final = 1.0


def show(wanted: str | None, terminal: Terminal, *, as_json: bool, follow: bool) -> Exit:
    """Print the status. Returns DONE even when jobs have failed."""
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        batch = _find(database, wanted)
        which = jobs.all_jobs() if batch is None else jobs.of_batch(batch.id)
        interrupted = follow and _follow(database, which, settings, terminal, batch)
        snapshot = take_snapshot(database, which, embedded=settings.embedded)
        seconds = _seconds(database, which, batch, snapshot)
        terminal.data(report(snapshot, batch=None if batch is None else batch.id, seconds=seconds))
        if not as_json and batch is None:
            _show_queue(database, snapshot, settings, terminal)
        elif not as_json and batch is not None:
            _show_batch(database, batch, snapshot, seconds, terminal)
    return Exit.INTERRUPTED if interrupted else Exit.DONE


def _find(database: Database, wanted: str | None) -> BatchRecord | None:
    if wanted is None:
        return None
    with database.read() as connection:
        return cli_database.batch(connection, wanted)


def _follow(
    database: Database, which: ColumnElement[bool], settings: Settings, terminal: Terminal, batch: BatchRecord | None
) -> bool:
    title = "queue" if batch is None else batch.name
    with Interrupts() as interrupts, progress(terminal, title, time.monotonic) as view:
        watch(
            lambda: take_snapshot(database, which, embedded=settings.embedded),
            view,
            interrupts,
            poll_seconds=WATCH_SECONDS,
        )
        return interrupts.count > 0


def _seconds(database: Database, which: ColumnElement[bool], batch: BatchRecord | None, snapshot: Snapshot) -> float:
    """Return the seconds from submission to the last job's end, or to now."""
    with database.read() as connection:
        first, last = jobs.span(connection, which)
    began = batch.created_at if batch is not None else first
    ended = last if snapshot.all_finished and last is not None else snapshot.at
    return 0.0 if began is None else max(0.0, (ended - began).total_seconds())


def _show_batch(database: Database, batch: BatchRecord, snapshot: Snapshot, seconds: float, terminal: Terminal) -> None:
    state = "finished" if snapshot.all_finished else "running"
    terminal.result(Text.assemble((batch.name, "bold"), f"  {number(snapshot.total, 'text')}, {state}"))
    for name, value in _facts(batch, snapshot, seconds):
        terminal.result(Text.assemble(("  " + name.ljust(11), "dim"), value))
    for hold in snapshot.holds:
        terminal.result(f"  {describe_hold(hold, snapshot.at)}", style="yellow")
    with database.read() as connection:
        failures = jobs.jobs(connection, jobs.of_batch(batch.id), states=UNEXPECTED, most=SHOWN_FAILURES)
    for job in failures:
        terminal.result(f"  {describe_failure(job)}", style="red")
    if (more := snapshot.failed - len(failures)) > 0:
        terminal.result(f"  and {more:,} more: `ttsq jobs list --batch {short(batch.id)}` lists all")


def _facts(batch: BatchRecord, snapshot: Snapshot, seconds: float) -> list[tuple[str, str]]:
    counts = snapshot.counts
    cached = f" ({counts.cached:,} copied from earlier audio)" if counts.cached else ""
    elapsed = "took" if snapshot.all_finished else "for"
    facts = [
        ("id", str(batch.id)),
        ("submitted", f"{moment(batch.created_at, snapshot.at)}, {elapsed} {duration(seconds)}"),
        ("succeeded", f"{snapshot.succeeded:,}{cached}"),
        ("failed", f"{snapshot.failed:,}"),
        ("cancelled", f"{snapshot.cancelled:,}" if snapshot.cancelled else ""),
        ("in flight", f"{snapshot.in_flight:,}" if not snapshot.all_finished else ""),
        ("queued", f"{counts.of(*WAITING):,}" if not snapshot.all_finished else ""),
        ("spent", money(counts.cost)),
        ("audio", batch.output_url or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _show_queue(database: Database, snapshot: Snapshot, settings: Settings, terminal: Terminal) -> None:
    with database.read() as connection:
        newest = batches.latest(connection, most=SHOWN_BATCHES)
    if not newest and not snapshot.total:
        terminal.result("No jobs submitted yet.")
        return
    snapshots = [take_snapshot(database, jobs.of_batch(batch.id), embedded=settings.embedded) for batch in newest]
    some_cancelled = any(one.cancelled for one in snapshots)
    table = _table(with_cancelled=some_cancelled)
    for batch, one in zip(newest, snapshots, strict=True):
        table.add_row(*_row(batch, one, snapshot.at, with_cancelled=some_cancelled))
    terminal.result(table)
    remaining = snapshot.total - snapshot.finished
    state = f"{remaining:,} remaining, {snapshot.in_flight:,} in flight" if remaining else "all finished"
    terminal.result(f"\nTotal: {number(snapshot.total, 'job')}, {state}, {money(snapshot.counts.cost)} spent.")
    for hold in snapshot.holds:
        terminal.result(describe_hold(hold, snapshot.at), style="yellow")
    with database.read() as connection:
        members = peers.alive(workers.present(connection), database.now(connection))
    for warning in peers.describe(members):
        terminal.result(f"{warning}; {peers.REMEDY}", style="yellow")


def _table(*, with_cancelled: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("BATCH", no_wrap=True)
    table.add_column("NAME", overflow="ellipsis", max_width=24)  # the column that shrinks on a narrow terminal
    table.add_column("SUBMITTED", no_wrap=True)
    for name in ("TOTAL", "SUCCEEDED", "FAILED", *(["CANCELLED"] if with_cancelled else []), "REMAINING", "SPENT"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _row(batch: BatchRecord, snapshot: Snapshot, now: datetime, *, with_cancelled: bool) -> list[str | Text]:
    return [
        short(batch.id),
        Text(batch.name),
        moment(batch.created_at, now),
        f"{snapshot.total:,}",
        Text(f"{snapshot.succeeded:,}", style="green" if snapshot.succeeded == snapshot.total else ""),
        Text(f"{snapshot.failed:,}", style="red" if snapshot.failed else ""),
        *([f"{snapshot.cancelled:,}"] if with_cancelled else []),
        f"{snapshot.total - snapshot.finished:,}",
        money(snapshot.counts.cost),
    ]


def status(
    batch: Annotated[
        str | None,
        typer.Argument(metavar="BATCH", help="Batch id, id prefix, or file name.", autocompletion=complete.batches),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow progress until all jobs have finished.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with the keys of `ttsq run --json`.")
    ] = False,
) -> None:
    """Show the progress of the queue or one batch, and its holds."""

    leave(show(batch, Terminal(as_json=as_json), as_json=as_json, follow=watch))
