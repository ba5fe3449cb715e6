"""A run whose rows are stored, to its end: watched, dismissed, told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

from worker.artifacts.factory import open_store
from worker.cli.console import format as formatting
from worker.cli.console.exits import Exit, Interrupts, leave_now
from worker.cli.console.format import money, number
from worker.cli.console.progress import NoProgress, Progress, progress
from worker.cli.console.terminal import Terminal
from worker.cli.money import needs
from worker.cli.run import refused, summary
from worker.cli.run.copies import Copies
from worker.cli.run.order import Destination, Order
from worker.cli.run.refused import Refusal
from worker.cli.run.submit import Audit, Handed, Lost, named
from worker.cli.run.summary import SHOWN_FAILURES, UNASKED, Ending, Shortage, summarize
from worker.cli.run.workers import Workers, dismiss
from worker.cli.snapshot import Snapshot, report, take_snapshot
from worker.cli.watch import poll_again, watch
from worker.process.factories import open_places
from worker.settings import Settings
from worker.store import outputs
from worker.store.database import Database
from worker.store.queries import jobs, refusals

SURE_SECONDS: Final = 2.0
"""The dispatcher looks far more often: what it hasn't started by then, it doesn't."""


class Patience:
    """Asked with every look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None

    def is_over(self, snapshot: Snapshot) -> bool:
        """Whether the rest waits for nothing but a budget or a resume, and has done so for some looks."""
        if not snapshot.stands_still:
            self._since = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since >= SURE_SECONDS


CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Run:
    """A run whose rows are stored, to its end."""

    order: Order
    settings: Settings
    terminal: Terminal
    database: Database
    workers: Workers
    interrupts: Interrupts
    place: Destination
    handed: Handed
    began: float
    skipped: int = 0
    """Faults of the input whose rows were left out."""

    def follow(self) -> Exit:
        """Watch until all is over, until the rest waits for money alone, or until someone has seen enough."""
        patience = Patience(time.monotonic)
        with progress(self.terminal, self.order.title, time.monotonic) as view, self._copies() as copies:
            last = watch(self._look, view, self.interrupts, enough=patience.is_over)
            complete = last.all_finished or not self.interrupts.count
            short = self._shortage(last) if complete and last.waits_for_money else None
            refusal = (
                refused.look(self.database, self.handed.batch.id, last) if complete and not last.all_finished else None
            )
            unwritten = self.workers.finish(self.handed.batch.id) if last.all_finished else None
            orderly = self._dismiss(view, last, complete=complete)
            last = poll_again(self._look, NoProgress(self.terminal)) or last
            troubles = copies.finish() if copies and complete and orderly else []
        lost = self._lost() if complete else Lost()
        if complete:
            self._summarize(last, troubles, short, refusal, lost)
        else:
            self._say_farewell(last, orderly=orderly)
        if unwritten is not None:
            self.terminal.warn(f"  the result files are yet to be written: {unwritten}", style="yellow")
        self._data(last)
        if not orderly:
            leave_now(Exit.INTERRUPTED)
        if not complete:
            return Exit.INTERRUPTED
        if short is not None or refusal is not None:
            return Exit.HELD
        return Exit.SOME_FAILED if troubles or lost.unsound or self.skipped else last.exit_code

    def _lost(self) -> Lost:
        """Whether every file holds what its row says. What was looked at right before is not read again."""
        if self.handed.before.all_finished:
            return self.handed.lost
        batch = self.handed.batch
        places = open_places(self.settings, self.database, connections=CONNECTIONS)
        return Audit(self.database, places, batch.id, batch.tenant, offload=not self.settings.embedded).run()

    def _look(self) -> Snapshot:
        return take_snapshot(self.database, self.handed.which, embedded=self.settings.embedded)

    def _look_without_holds(self) -> Snapshot:
        """While the workers are being sent away, that they are gone is no news."""
        return replace(self._look(), holds=(), held=0)

    def _copies(self) -> AbstractContextManager[Copies | None]:
        if self.place.copies is None or self.settings.artifacts_url is None:
            return nullcontext()
        with self.database.read() as connection:
            own = outputs.of_tenant(connection, self.handed.batch.tenant)
        store = open_store(own or self.settings.artifacts_url)
        return Copies(self.database, self.handed.which, store, self.place.copies)

    def _dismiss(self, view: Progress, last: Snapshot, *, complete: bool) -> bool:
        """Let the workers go. True if they went in good order."""
        seen = self.interrupts.count
        if self.settings.embedded:
            others = take_snapshot(self.database, jobs.all_jobs(), embedded=True).in_flight if complete else 0
            for words in _stopping_words(last, others, complete=complete):
                view.say(words)
        return dismiss(
            self.workers,
            self.interrupts,
            grace_seconds=self.settings.grace_seconds,
            tick=(lambda: None) if complete else (lambda: poll_again(self._look_without_holds, view)),
            seen=seen,
        )

    def _say_farewell(self, last: Snapshot, *, orderly: bool) -> None:
        state = f"{last.succeeded:,} of {number(last.total, 'text')} spoken, {money(last.counts.cost)} spent"
        if not self.settings.embedded:
            batch = formatting.short(self.handed.batch.id)
            self.terminal.note(f"No longer watching: {state}. The workers go on.")
            self.terminal.note(f"`ttsq status {batch} --watch` shows how far they are;")
            self.terminal.note(f"`ttsq jobs cancel --batch {batch}` calls off what isn't done.")
        elif orderly:
            self.terminal.note(f"Stopped: {state}. The same command resumes, and buys no accepted audio twice.")
        else:
            self.terminal.note(
                f"Ended at once: {state}. Calls in flight may have been paid for all the same;"
                " the same command recovers what arrived, and goes on from there."
            )

    def _summarize(
        self, last: Snapshot, copying: list[str], short: Shortage | None, refusal: Refusal | None, lost: Lost
    ) -> None:
        with self.database.read() as connection:
            failures = jobs.jobs(connection, self.handed.which, states=UNASKED, most=SHOWN_FAILURES)
        ending = Ending(
            snapshot=last,
            batch=self.handed.batch.id,
            place=self.place.shown,
            seconds=time.monotonic() - self.began,
            spent_before=self.handed.before.counts.cost,
            done_before=self.handed.before.succeeded,
            failures=failures,
            troubles=[*_copying(copying), *_lost(lost, self.order), *_skipped(self.skipped)],
            rehearsal=self.order.rehearse,
            shortage=short,
            unsound=lost.unsound,
            refused=refusal.held if refusal is not None else 0,
            ways=tuple(refused.lines(refusal, self.order)) if refusal is not None else (),
            asks_again=self._asks_again(),
        )
        summarize(self.terminal, ending)

    def _asks_again(self) -> bool:
        with self.database.read() as connection:
            return refusals.in_vain(connection, self.handed.which).texts > 0 and not self.order.rehearse

    def _shortage(self, last: Snapshot) -> Shortage:
        rest = needs.rest(self.database, self.handed.batch.id).cost
        ways = tuple(summary.ways(self.order, last.budgets, rest))
        return Shortage(last.total - last.finished, summary.describe_spent(last.budgets), rest, ways)

    def _data(self, snapshot: Snapshot) -> None:
        seconds = time.monotonic() - self.began
        self.terminal.data(report(snapshot, batch=self.handed.batch.id, seconds=seconds))


def _stopping_words(last: Snapshot, others: int, *, complete: bool) -> Iterator[str]:
    """What someone who waits at the terminal waits for."""
    if complete and others:
        yield f"Letting {number(others, 'call')} of earlier runs finish (Ctrl-C to end at once)…"
    elif not complete and last.in_flight:
        yield f"Stopping: letting {number(last.in_flight, 'call')} finish (Ctrl-C again to end at once)…"
    elif not complete:
        yield "Stopping…"


def _copying(troubles: list[str]) -> Iterator[str]:
    yield from (f"not copied: {trouble}" for trouble in troubles[:SHOWN_FAILURES])
    if len(troubles) > SHOWN_FAILURES:
        yield f"and {len(troubles) - SHOWN_FAILURES:,} more not copied; the same command tries them again"


def _skipped(faults: int) -> Iterator[str]:
    if faults:
        yield f"rows were skipped for {number(faults, 'fault')} of the input; mended, the same command buys only those"


def _lost(lost: Lost, order: Order) -> Iterator[str]:
    again = summary.again(order, None)
    if files := len(lost.gone):
        yield (
            f"{number(files, 'file')} recorded as done {'is' if files == 1 else 'are'} no longer there: put them back,"
            f" or buy just those again with `{again} --missing`"
        )
    if lost.replaced:
        yield f"replaced by a later batch's audio: {named(lost.replaced)}; `{again}` restores them"
    if lost.changed:
        yield f"changed since, and left as they are: {named(lost.changed)}; `{again} --overwrite` restores them"
    if lost.renamed:
        yield f"stored under other names, because theirs were taken: {named(lost.renamed)}"
