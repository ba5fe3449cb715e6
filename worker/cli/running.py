"""`ttsq run`, step by step: read, check, hand in, watch, end. Nothing is stored or spent before all of it is sound."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

from worker.artifacts.opening import open_store
from worker.cli import destination, opening, rehearsal
from worker.cli.copies import Copies
from worker.cli.destination import Destination
from worker.cli.errors import NoKeyError
from worker.cli.exits import Exit
from worker.cli.handing_in import Handed, hand_in
from worker.cli.interrupts import Interrupts
from worker.cli.leaving import leave_now
from worker.cli.order import Order, read
from worker.cli.progress import Progress, Silence, progress
from worker.cli.reckoning import Snapshot, look, report
from worker.cli.summary import SHOWN_FAILURES, UNASKED, Ending, summarize
from worker.cli.terminal import Terminal
from worker.cli.watching import look_again, watch
from worker.cli.wording import money, number, short
from worker.cli.workforce import Workforce, dismiss, workforce
from worker.settings import HOME, OFFICIAL_BASE_URL, Settings
from worker.store import views
from worker.store.database import Database

LOG_NAME: Final = "ttsq.log"


def run(order: Order, terminal: Terminal) -> Exit:
    """Carry out the order, and tell how it went."""
    settings = opening.settings(terminal)
    rows = read(order, settings, terminal)
    if order.rehearse:
        stage: AbstractContextManager[Settings] = rehearsal.stage()
    else:
        _require_key(order, settings)
        stage = nullcontext(settings)
    with stage as settings:
        place = destination.choose(settings, order.out, stem=order.stem, rehearsal=order.rehearse)
        _check(place)
        with opening.queue_to_fill(settings) as database, Interrupts() as interrupts:
            workers = workforce(settings, database, (rehearsal.FOLDER if order.rehearse else HOME) / LOG_NAME)
            began = time.monotonic()
            workers.start()
            try:
                handed = hand_in(database, rows, order=order, settings=settings, place=place, terminal=terminal)
            except BaseException:
                workers.stop(grace_seconds=0)
                raise
            workers.wake()
            return _Run(order, settings, terminal, database, workers, interrupts, place, handed, began).follow()


@dataclass(frozen=True, slots=True)
class _Run:
    """A run whose rows are stored, to its end."""

    order: Order
    settings: Settings
    terminal: Terminal
    database: Database
    workers: Workforce
    interrupts: Interrupts
    place: Destination
    handed: Handed
    began: float

    def follow(self) -> Exit:
        """Watch until all is over, or until someone has seen enough."""
        with progress(self.terminal, self.order.title, time.monotonic) as view, self._copies() as copies:
            last = watch(self._look, view, self.interrupts)
            complete = last.over
            orderly = self._dismiss(view, last)
            last = look_again(self._look, Silence(self.terminal)) or last
            troubles = copies.finish() if copies and complete and orderly else []
        if complete:
            self._summarize(last, troubles)
        else:
            self._say_farewell(last, orderly=orderly)
        self._data(last)
        if not orderly:
            leave_now(Exit.INTERRUPTED)
        if not complete:
            return Exit.INTERRUPTED
        return Exit.SOME_FAILED if troubles or self.handed.vanished else last.exit_code

    def _look(self) -> Snapshot:
        return look(self.database, self.handed.which, embedded=self.settings.embedded)

    def _look_without_holds(self) -> Snapshot:
        """While the workers are being sent away, that they are gone is no news."""
        return replace(self._look(), holds=(), held=0)

    def _copies(self) -> AbstractContextManager[Copies | None]:
        if self.place.copies is None or self.settings.artifacts_url is None:
            return nullcontext()
        store = open_store(self.settings.artifacts_url)
        return Copies(self.database, self.handed.which, store, self.place.copies)

    def _dismiss(self, view: Progress, last: Snapshot) -> bool:
        """Let the workers go. True if they went in good order."""
        seen = self.interrupts.count
        if self.settings.embedded:
            others = look(self.database, views.everything(), embedded=True).in_flight if last.over else 0
            for words in _stopping_words(last, others):
                view.say(words)
        return dismiss(
            self.workers,
            self.interrupts,
            grace_seconds=self.settings.grace_seconds,
            tick=lambda: look_again(self._look_without_holds, view),
            seen=seen,
        )

    def _say_farewell(self, last: Snapshot, *, orderly: bool) -> None:
        state = f"{last.succeeded:,} of {number(last.total, 'text')} spoken, {money(last.counts.cost)} spent"
        if not self.settings.embedded:
            batch = short(self.handed.batch.id)
            self.terminal.note(f"No longer watching: {state}. The workers go on.")
            self.terminal.note(f"`ttsq status {batch} --watch` shows how far they are;")
            self.terminal.note(f"`ttsq jobs cancel --batch {batch}` calls off what isn't done.")
        elif orderly:
            self.terminal.note(f"Stopped: {state}. The same command goes on from there, and buys nothing twice.")
        else:
            self.terminal.note(
                f"Ended at once: {state}. Calls in flight may have been paid for all the same;"
                " the same command recovers what arrived, and goes on from there."
            )

    def _summarize(self, last: Snapshot, troubles: list[str]) -> None:
        with self.database.read() as connection:
            failures = views.jobs(connection, self.handed.which, states=UNASKED, most=SHOWN_FAILURES)
        ending = Ending(
            snapshot=last,
            batch=self.handed.batch.id,
            place=self.place.shown,
            seconds=time.monotonic() - self.began,
            spent_before=self.handed.before.counts.cost,
            done_before=self.handed.before.succeeded,
            failures=failures,
            troubles=_troubles(self.handed, self.order, troubles),
            rehearsal=self.order.rehearse,
        )
        summarize(self.terminal, ending)

    def _data(self, snapshot: Snapshot) -> None:
        seconds = time.monotonic() - self.began
        self.terminal.data(report(snapshot, batch=self.handed.batch.id, seconds=seconds))


def _require_key(order: Order, settings: Settings) -> None:
    """A producer for workers elsewhere needs no key: they have it."""
    if settings.embedded and settings.segmind_api_key is None and settings.segmind_base_url == OFFICIAL_BASE_URL:
        raise NoKeyError(order.typed)


def _check(place: Destination) -> None:
    """Find out now, and not after the first paid call, whether the folder can be written."""
    if place.output_url is not None:
        store = open_store(place.output_url)
        store.check()
        store.close()
    if place.copies is not None:
        place.copies.mkdir(parents=True, exist_ok=True)
        probe = place.copies / ".ttsq-check"
        probe.touch()
        probe.unlink()


def _stopping_words(last: Snapshot, others: int) -> Iterator[str]:
    """What someone who waits at the terminal waits for."""
    if last.over and others:
        yield f"Letting {number(others, 'call')} of earlier runs finish (Ctrl-C to end at once)…"
    elif not last.over and last.in_flight:
        yield f"Stopping: letting {number(last.in_flight, 'call')} finish (Ctrl-C again to end at once)…"
    elif not last.over:
        yield "Stopping…"


def _troubles(handed: Handed, order: Order, copying: list[str]) -> list[str]:
    troubles = [f"not copied: {trouble}" for trouble in copying[:SHOWN_FAILURES]]
    if len(copying) > SHOWN_FAILURES:
        troubles.append(f"and {len(copying) - SHOWN_FAILURES:,} more not copied; the same command tries them again")
    if handed.vanished:
        files = number(handed.vanished, "file")
        verb = "is" if handed.vanished == 1 else "are"
        troubles.append(
            f"{files} recorded as done {verb} no longer there: put them back, or buy everything"
            f" afresh with `ttsq run {order.typed} --fresh`"
        )
    return troubles
