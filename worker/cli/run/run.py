"""`ttsq run`, step by step: read, check, hand in, watch, end. Nothing is stored or spent before all of it is sound."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

from api_models.origins import OFFICIAL_BASE_URL
from worker.artifacts.addresses import path_of
from worker.artifacts.factory import open_store
from worker.artifacts.partial import arriving
from worker.cli import database as cli_database
from worker.cli.console import terminal as console
from worker.cli.console.errors import NoKeyError
from worker.cli.console.exits import Exit, Interrupts
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.money import credits as account_credits
from worker.cli.money import needs
from worker.cli.money.needs import Input
from worker.cli.money.quote import in_short
from worker.cli.run import again, clashes, refused, rehearsal
from worker.cli.run import order as run_order
from worker.cli.run.follow import Run
from worker.cli.run.order import Destination, Order, check_template, read
from worker.cli.run.submit import Audit, Lost, submit
from worker.cli.run.workers import choose_workers
from worker.cli.snapshot import report, take_snapshot
from worker.process.factories import open_places
from worker.producer import DEFAULT_TENANT
from worker.settings import HOME, Settings
from worker.store.database import Database
from worker.store.queries import jobs

QUESTION = "Go on?"


def agreed(
    database: Database, wanted: Input, *, order: Order, settings: Settings, terminal: Terminal, asked: int
) -> bool:
    """Whether to buy. Where nothing has to be bought, or nobody can answer, nobody is asked; nor is a second time of
    the `asked` texts that are bought again."""
    if order.rehearse:
        return True
    asks = order.ask and order.source is not None and console.can_ask()
    if terminal.quiet and not asks:
        return True
    found = needs.estimated(database, wanted, settings)
    if found.calls <= asked:
        return True
    allowed = needs.allowance(database, wanted, order.max_cost)
    words = in_short(found, account_credits.look(settings, database), allowed)
    if not asks:
        terminal.note(words)
        return True
    terminal.warn(words)  # a question can't be answered without it, quiet or not
    return console.agreed(terminal, QUESTION)


HEADS_AT_PER_TIME: Final = 16
LOG_NAME: Final = "ttsq.log"


def run(order: Order, terminal: Terminal) -> Exit:
    """Carry out the order, and tell how it went."""
    settings = cli_database.settings(terminal)
    check_template(order, settings)
    judged = read(order, settings, terminal)
    if order.rehearse:
        stage: AbstractContextManager[Settings] = rehearsal.stage()
    else:
        _require_key(order, settings)
        stage = nullcontext(settings)
    with stage as settings:
        place = run_order.choose(settings, order.out, stem=order.stem, rehearsal=order.rehearse)
        _check(place)
        origin = rehearsal.ORIGIN if order.rehearse else settings.segmind_base_url
        with cli_database.queue_to_fill(settings) as database:
            wanted = needs.with_batch(
                database, Input(judged.rows, origin, place.output_url, order.resume, order.key_template)
            )
            lost = _lost(database, wanted, order, settings)
            _refuse_clashes(place, wanted, order, lost)
            wanted = replace(wanted, lost=frozenset(lost.gone if order.missing else ()))
            if held := _held(database, wanted, order, settings, terminal):
                return held
            before = again.refused(database, wanted)
            wanted = replace(wanted, again=again.agreed(before, order=order, settings=settings, terminal=terminal))
            asked = before.texts if wanted.again and order.ask else 0
            if not agreed(database, wanted, order=order, settings=settings, terminal=terminal, asked=asked):
                terminal.note("Nothing was stored or spent.")
                return Exit.INTERRUPTED
            with Interrupts() as interrupts:
                log_file = (rehearsal.FOLDER if order.rehearse else HOME) / LOG_NAME
                workers = choose_workers(settings, database, log_file, origin=origin)
                began = time.monotonic()
                workers.start()
                try:
                    handed = submit(
                        database, wanted, order=order, settings=settings, place=place, lost=lost, terminal=terminal
                    )
                except BaseException:
                    workers.stop(grace_seconds=0)
                    raise
                workers.wake()
                return Run(
                    order, settings, terminal, database, workers, interrupts, place, handed, began, judged.total_faults
                ).follow()


def _lost(database: Database, wanted: Input, order: Order, settings: Settings) -> Lost:
    """What of the batch that is resumed isn't where it should be."""
    if wanted.batch is None:
        return Lost()
    places = open_places(settings, database, connections=HEADS_AT_PER_TIME)
    return Audit(
        database, places, wanted.batch, DEFAULT_TENANT, overwrite=order.overwrite, offload=not settings.embedded
    ).run()


def _refuse_clashes(place: Destination, wanted: Input, order: Order, lost: Lost) -> None:
    """Find out before anything is bought whether the user's own files have the names of what is to be written."""
    if place.output_url is not None and (folder := path_of(place.output_url)) is not None:
        shown = Path(place.shown)
        clashes.refuse(
            shown if shown.resolve() == folder else folder,
            wanted.rows,
            template=order.key_template,
            overwrite=order.overwrite,
            but=lost.changed,
        )
    if place.copies is not None:
        clashes.refuse(place.copies, wanted.rows, template=None, overwrite=order.overwrite)


def _held(database: Database, wanted: Input, order: Order, settings: Settings, terminal: Terminal) -> Exit | None:
    """The exit of a run that refused takes hold from its start: nothing is asked, because nothing would be bought."""
    if wanted.batch is None:
        return None
    snapshot = take_snapshot(database, jobs.of_batch(wanted.batch), embedded=settings.embedded)
    refusal = refused.look(database, wanted.batch, snapshot) if snapshot.stands_still else None
    if refusal is None:
        return None
    terminal.warn(f"{order.title}: {number(refusal.held, 'text')} held by refused takes", style="yellow")
    for line in refused.lines(refusal, order):
        terminal.warn(f"  {line}")
    terminal.data(report(snapshot, batch=wanted.batch, seconds=0))
    return Exit.HELD


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
        with arriving(place.copies) as probe:
            probe.touch()
