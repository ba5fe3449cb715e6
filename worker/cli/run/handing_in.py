"""The rows of an input into the queue, in one transaction: as a new batch, or as one that is taken up again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement

from worker import producer
from worker.cli.money.needs import Input
from worker.cli.queue.reckoning import Snapshot, look
from worker.cli.run.destination import Destination
from worker.cli.run.lost import Lost
from worker.cli.run.order import Order
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import money, number, short
from worker.producer import Submission
from worker.settings import Settings
from worker.store import selections, views
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.transitions import asking


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch in the queue, and how it stood at that moment."""

    batch: BatchRecord
    before: Snapshot
    lost: Lost
    """What of its audio is not where it should be."""

    @property
    def which(self) -> ColumnElement[bool]:
        """Its jobs."""
        return views.of_batch(self.batch.id)


def hand_in(
    database: Database,
    wanted: Input,
    *,
    order: Order,
    settings: Settings,
    place: Destination,
    lost: Lost,
    terminal: Terminal,
) -> Handed:
    """Store the rows, or find what the same command stored before, and say which."""
    # Nothing is paid in a rehearsal, so nobody need be asked.
    anew = bool(lost.gone) and (order.missing or order.rehearse)
    # What a later batch has replaced is copied by a new batch, which supersedes that one.
    renew = bool(lost.replaced) and not lost.gone
    with database.begin() as connection:
        now = database.now(connection)
        if (anew or renew) and wanted.batch is not None:
            # What isn't done yet goes on in the batch that takes this one's place.
            asking.cancel(connection, selections.unfinished(views.of_batch(wanted.batch)), now=now)
        submission = producer.submit_batch(
            connection,
            wanted.rows,
            name=order.title,
            origin=wanted.origin,
            output_url=wanted.output_url,
            resume=order.resume and not anew,
            use_cache=order.resume,
            max_cost=order.max_cost,
            key_template=order.key_template,
            key=wanted.key,
            renew=renew,
            buy_again=wanted.again,
            kept_seconds=settings.expires_after,
            now=now,
        )
    before = look(database, views.of_batch(submission.batch.id), embedded=settings.embedded)
    _tell(terminal, order, place, submission, before)
    if lost.put_back:
        terminal.note(f"{number(lost.put_back, 'file')} that had gone put back, at no cost")
    _tell_of_others(database, settings, before, terminal)
    return Handed(submission.batch, before, lost if submission.resumed else Lost())


def _tell(terminal: Terminal, order: Order, place: Destination, submission: Submission, before: Snapshot) -> None:
    terminal.note(f"{order.title}: {number(before.total, 'text')} → {place.shown}")
    if not submission.resumed or before.over:
        return
    again = f", {submission.retried:,} of them once more" if submission.retried else ""
    left = before.total - before.finished
    terminal.note(
        f"Taking up batch {short(submission.batch.id)}: {before.succeeded:,} done already, {left:,} to go{again}"
    )
    for budget in before.budgets:
        if budget.batch_id == submission.batch.id and order.max_cost is None:
            terminal.note(f"Its budget of {money(budget.limit)} stays, of which {money(budget.spent)} is spent")


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
    held = everything.held_by_takes - before.held_by_takes
    others = (everything.total - everything.finished) - (before.total - before.finished) - held
    if others:
        terminal.note(
            f"{number(others, 'job')} of earlier runs in this queue will be done as well;"
            " `ttsq status` lists them, `ttsq jobs cancel --batch …` calls them off",
            style="yellow",
        )
