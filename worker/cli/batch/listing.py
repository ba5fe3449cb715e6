"""Batches in a list. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from api_models.status import TERMINAL, JobStatus
from worker.cli.batch import states
from worker.cli.queue import opening
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import moment, money, short
from worker.store import batches, views
from worker.store.batches import BatchRecord
from worker.store.views import Counts


def list_batches(*, limit: int, as_json: bool) -> None:
    """A table for people, or a line of JSON each for machines."""
    terminal = Terminal(as_json=as_json)
    with opening.queue(opening.settings(terminal)) as database, database.read() as connection:
        now = database.now(connection)
        found = [
            (batch, views.counts(connection, views.of_batch(batch.id)))
            for batch in batches.latest(connection, most=limit)
        ]
    for batch, counts in found:
        terminal.data(states.as_data(batch, counts, over=_over(counts)))
    if as_json:
        return
    terminal.result(_table(found, now) if found else "Nothing has been handed in yet.")


def _over(counts: Counts) -> bool:
    return counts.of(*TERMINAL) == counts.total


def _table(found: Sequence[tuple[BatchRecord, Counts]], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("BATCH", no_wrap=True)
    table.add_column("NAME", overflow="ellipsis", max_width=24)
    table.add_column("HANDED IN", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for name in ("TOTAL", "DONE", "LEFT", "SPENT"):
        table.add_column(name, justify="right", no_wrap=True)
    for batch, counts in found:
        table.add_row(
            short(batch.id),
            Text(batch.name),
            moment(batch.created_at, now),
            states.state_of(batch, over=_over(counts)),
            f"{counts.total:,}",
            f"{counts.of(JobStatus.SUCCEEDED):,}",
            f"{counts.total - counts.of(*TERMINAL):,}",
            money(counts.cost),
        )
    return table
