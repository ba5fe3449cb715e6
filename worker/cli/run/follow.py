"""Follow a submitted run to its end: watch, stop the workers, summarize."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

from api_models.key_templates import SHARED_TEMPLATE
from worker.artifacts.factory import open_store
from worker.artifacts.keys import batch_prefix
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
from worker.cli.run.submit import Audit, Lost, SubmittedBatch, named
from worker.cli.run.summary import SHOWN_FAILURES, UNEXPECTED, Ending, Shortage, summarize
from worker.cli.run.workers import Workers, dismiss
from worker.cli.snapshot import Snapshot, report, take_snapshot
from worker.cli.watch import poll_again, watch
from worker.process.factories import open_destinations
from worker.settings import Settings
from worker.store import outputs
from worker.store.database import Database
from worker.store.queries import jobs, refusals

SURE_SECONDS: Final = 2.0
"""The dispatcher ticks far more often, so a job it has not started by then is held."""


class Patience:
    """Decides when to stop waiting for held jobs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None

    def is_exhausted(self, snapshot: Snapshot) -> bool:
        """Return whether the remaining jobs have been waiting only for a budget or a resume for `SURE_SECONDS`."""
        if not snapshot.stands_still:
            self._since = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since >= SURE_SECONDS


CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Run:
    order: Order
    settings: Settings
    terminal: Terminal
    database: Database
    workers: Workers
    interrupts: Interrupts
    destination: Destination
    submitted: SubmittedBatch
    began: float
    skipped: int = 0
    """Input errors whose rows were skipped."""

    def follow(self) -> Exit:
        """Watch until all jobs have finished, all remaining ones are held, or a signal arrives."""
        patience = Patience(time.monotonic)
        with progress(self.terminal, self.order.title, time.monotonic) as view, self._copies() as copies:
            last = watch(self._poll, view, self.interrupts, enough=patience.is_exhausted)
            complete = last.all_finished or not self.interrupts.count
            shortage = self._shortage(last) if complete and last.waits_for_money else None
            refusal = (
                refused.find(self.database, self.submitted.batch.id, last)
                if complete and not last.all_finished
                else None
            )
            unwritten = self.workers.finish(self.submitted.batch.id) if last.all_finished else None
            orderly = self._dismiss(view, last, complete=complete)
            last = poll_again(self._poll, NoProgress(self.terminal)) or last
            uncopied = copies.finish() if copies and complete and orderly else []
        lost = self._lost() if complete else Lost()
        if complete:
            self._summarize(last, uncopied, shortage, refusal, lost)
        else:
            self._say_farewell(last, orderly=orderly)
        if unwritten is not None:
            self.terminal.warn(f"  the result files are not written yet: {unwritten}", style="yellow")
        self._data(last)
        if not orderly:
            leave_now(Exit.INTERRUPTED)
        if not complete:
            return Exit.INTERRUPTED
        if shortage is not None or refusal is not None:
            return Exit.HELD
        return Exit.SOME_FAILED if uncopied or lost.unsound or self.skipped else last.exit_code

    def _lost(self) -> Lost:
        """Check that every file matches its row. An audit made just before is not repeated."""
        if self.submitted.before.all_finished:
            return self.submitted.lost
        batch = self.submitted.batch
        places = open_destinations(self.settings, self.database, connections=CONNECTIONS)
        return Audit(self.database, places, batch.id, batch.tenant, offload=not self.settings.embedded).run()

    def _poll(self) -> Snapshot:
        return take_snapshot(self.database, self.submitted.which, embedded=self.settings.embedded)

    def _poll_without_holds(self) -> Snapshot:
        """Omit holds while the workers stop: their absence is expected."""
        return replace(self._poll(), holds=(), held=0)

    def _copies(self) -> AbstractContextManager[Copies | None]:
        if self.destination.copies is None or self.settings.artifacts_url is None:
            return nullcontext()
        with self.database.read() as connection:
            own = outputs.of_tenant(connection, self.submitted.batch.tenant)
        store = open_store(own or self.settings.artifacts_url)
        return Copies(self.database, self.submitted.which, store, self.destination.copies)

    def _dismiss(self, view: Progress, last: Snapshot, *, complete: bool) -> bool:
        """Stop the workers. Returns True if they stopped gracefully."""
        seen = self.interrupts.count
        if self.settings.embedded:
            others = take_snapshot(self.database, jobs.all_jobs(), embedded=True).running if complete else 0
            for message in stopping_messages(last, others, complete=complete):
                view.say(message)
        return dismiss(
            self.workers,
            self.interrupts,
            grace_seconds=self.settings.grace_seconds,
            tick=(lambda: None) if complete else (lambda: poll_again(self._poll_without_holds, view)),
            seen=seen,
        )

    def _say_farewell(self, last: Snapshot, *, orderly: bool) -> None:
        state = f"{last.succeeded:,} of {number(last.total, 'text')} spoken, {money(last.counts.cost)} spent"
        if not self.settings.embedded:
            batch = formatting.short(self.submitted.batch.id)
            self.terminal.note(f"Stopped watching: {state}. Workers continue.")
            self.terminal.note(f"Follow progress: ttsq status {batch} --watch")
            self.terminal.note(f"Cancel unfinished jobs: ttsq jobs cancel --batch {batch}")
        elif orderly:
            self.terminal.note(f"Stopped: {state}. Repeat the command to resume; accepted audio is not bought again.")
        else:
            self.terminal.note(
                f"Stopped immediately: {state}. Calls in flight may have been billed;"
                " repeat the command to recover what arrived and resume."
            )

    def _summarize(
        self, last: Snapshot, copying: list[str], shortage: Shortage | None, refusal: Refusal | None, lost: Lost
    ) -> None:
        with self.database.read() as connection:
            failures = jobs.jobs(connection, self.submitted.which, states=UNEXPECTED, most=SHOWN_FAILURES)
        ending = Ending(
            snapshot=last,
            batch=self.submitted.batch.id,
            place=self._place(),
            seconds=time.monotonic() - self.began,
            spent_before=self.submitted.before.counts.cost,
            done_before=self.submitted.before.succeeded,
            failures=failures,
            problems=[*_copying(copying), *_lost(lost, self.order), *_skipped(self.skipped)],
            rehearsal=self.order.rehearse,
            shortage=shortage,
            unsound=lost.unsound,
            refused=refusal.held if refusal is not None else 0,
            remedies=tuple(refused.lines(refusal, self.order)) if refusal is not None else (),
            asks_again=self._asks_again(),
        )
        summarize(self.terminal, ending)
        if last.succeeded and self._is_elsewhere:
            batch = formatting.short(self.submitted.batch.id)
            self.terminal.note(f"  To download it: ttsq batch download {batch} --out DIR")

    @property
    def _is_elsewhere(self) -> bool:
        """Whether the audio is in a store that batches share, and in no folder of the user's."""
        return self.destination.output_url is None and self.destination.copies is None

    def _place(self) -> str:
        """Where this batch's audio is: in a shared store, the part of the address that it has alone."""
        if not self._is_elsewhere:
            return str(self.order.recording or self.destination.shown)
        batch = self.submitted.batch
        places = open_destinations(self.settings, self.database, connections=1)
        store = places.store_of(tenant=batch.tenant, batch_id=batch.id)
        template = self.order.key_template or self.settings.key_template or SHARED_TEMPLATE
        folder = batch_prefix(template, tenant=batch.tenant, batch=str(batch.id))
        return f"{store.url.rstrip('/')}/{folder}"

    def _asks_again(self) -> bool:
        with self.database.read() as connection:
            return refusals.in_vain(connection, self.submitted.which).texts > 0 and not self.order.rehearse

    def _shortage(self, last: Snapshot) -> Shortage:
        rest = needs.rest(self.database, self.submitted.batch.id).cost
        remedies = tuple(summary.remedies(self.order, last.budgets, rest))
        return Shortage(last.total - last.finished, summary.describe_spent(last.budgets), rest, remedies)

    def _data(self, snapshot: Snapshot) -> None:
        seconds = time.monotonic() - self.began
        self.terminal.data(report(snapshot, batch=self.submitted.batch.id, seconds=seconds))


def stopping_messages(last: Snapshot, others: int, *, complete: bool) -> Iterator[str]:
    if complete and others:
        yield f"Waiting for {number(others, 'call')} of earlier runs (Ctrl-C to stop immediately)…"
    elif not complete and last.running:
        yield f"Stopping: waiting for {number(last.running, 'call')} in flight (Ctrl-C again to stop immediately)…"
    elif not complete:
        yield "Stopping…"


def _copying(failures: list[str]) -> Iterator[str]:
    yield from (f"not copied: {failure}" for failure in failures[:SHOWN_FAILURES])
    if len(failures) > SHOWN_FAILURES:
        yield f"and {len(failures) - SHOWN_FAILURES:,} more not copied; repeat the command to retry"


def _skipped(faults: int) -> Iterator[str]:
    if faults:
        yield f"rows skipped because of {number(faults, 'error')}; fix them and repeat the command to buy only those"


def _lost(lost: Lost, order: Order) -> Iterator[str]:
    again = summary.again(order, None)
    if files := len(lost.gone):
        yield (
            f"{number(files, 'file')} of finished jobs {'is' if files == 1 else 'are'} missing: {named(lost.absent)};"
            f" restore them, or buy only those again with `{again} --missing`"
        )
    if lost.replaced:
        yield f"replaced by a later batch's audio: {named(lost.replaced)}; `{again}` restores them"
    if lost.changed:
        yield f"changed since, left unchanged: {named(lost.changed)}; `{again} --overwrite` restores them"
    if lost.renamed:
        yield f"stored under other names, because the names were taken: {named(lost.renamed)}"
