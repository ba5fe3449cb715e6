"""The rows of an input into the queue, in one transaction: as a new batch, or as one that is taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement

from api_models.status import JobStatus
from worker import producer
from worker.cli import rehearsal
from worker.cli.destination import Destination, vanished
from worker.cli.order import Order
from worker.cli.reckoning import Snapshot, look
from worker.cli.terminal import Terminal
from worker.cli.wording import number, short
from worker.intake.judging import Row
from worker.producer import Submission
from worker.settings import Settings
from worker.store import views
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.views import JobRecord

PAGE_JOBS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch in the queue, and how it stood at that moment."""

    batch: BatchRecord
    before: Snapshot
    vanished: int
    """Files recorded as done that are no longer there."""

    @property
    def which(self) -> ColumnElement[bool]:
        """Its jobs."""
        return views.of_batch(self.batch.id)


def hand_in(
    database: Database, rows: Sequence[Row], *, order: Order, settings: Settings, place: Destination, terminal: Terminal
) -> Handed:
    """Store the rows, or find what the same command stored before, and say which."""
    batch = _Batch(order.title, rehearsal.ORIGIN if order.rehearse else settings.segmind_base_url, place.output_url)
    submission = _submit(database, rows, batch, resume=order.resume)
    gone = _vanished(database, submission) if submission.resumed and place.output_url else 0
    if gone and order.rehearse:
        # Nothing is paid in a rehearsal, so nobody need be asked.
        submission, gone = _submit(database, rows, batch, resume=False), 0
    before = look(database, views.of_batch(submission.batch.id), embedded=settings.embedded)
    _tell(terminal, order, place, submission, before)
    _tell_of_others(database, settings, before, terminal)
    return Handed(submission.batch, before, gone)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What makes a batch beside its rows."""

    name: str
    origin: str
    output_url: str | None


def _submit(database: Database, rows: Sequence[Row], batch: _Batch, *, resume: bool) -> Submission:
    with database.begin() as connection:
        return producer.submit_batch(
            connection,
            rows,
            name=batch.name,
            origin=batch.origin,
            output_url=batch.output_url,
            resume=resume,
            now=database.now(connection),
        )


def _tell(terminal: Terminal, order: Order, place: Destination, submission: Submission, before: Snapshot) -> None:
    terminal.note(f"{order.title}: {number(before.total, 'text')} → {place.shown}")
    if not submission.resumed or before.over:
        return
    again = f", {submission.retried:,} of them once more" if submission.retried else ""
    left = before.total - before.finished
    terminal.note(
        f"Taking up batch {short(submission.batch.id)}: {before.succeeded:,} done already, {left:,} to go{again}"
    )


def _tell_of_others(database: Database, settings: Settings, before: Snapshot, terminal: Terminal) -> None:
    """A worker in this process does all there is in the queue, so its owner should know what that is."""
    if not settings.embedded:
        if settings.artifacts_url is None:
            terminal.note(
                "TTSQ_ARTIFACTS_URL is not set: each worker leaves audio on its own machine, in a folder of this name",
                style="yellow",
            )
        return
    everything = look(database, views.everything(), embedded=True)
    others = (everything.total - everything.finished) - (before.total - before.finished)
    if others:
        terminal.note(
            f"{number(others, 'job')} of earlier runs in this queue will be done as well;"
            " `ttsq status` lists them, `ttsq jobs cancel --batch …` calls them off",
            style="yellow",
        )


def _vanished(database: Database, submission: Submission) -> int:
    return sum(vanished(page) for page in _done(database, submission.batch.id))


def _done(database: Database, batch_id: UUID) -> Iterator[list[JobRecord]]:
    after: UUID | None = None
    while True:
        with database.read() as connection:
            page = views.jobs(
                connection, views.of_batch(batch_id), states=[JobStatus.SUCCEEDED], after=after, most=PAGE_JOBS
            )
        yield page
        if len(page) < PAGE_JOBS:
            return
        after = page[-1].id
