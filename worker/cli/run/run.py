"""`ttsq run`: read, check, submit, follow. Nothing is queued or charged before the whole input is valid."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from decimal import Decimal
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
from worker.cli.money.quote import in_short
from worker.cli.run import again, clashes, refused, rehearsal
from worker.cli.run import order as run_order
from worker.cli.run.follow import Run
from worker.cli.run.input import Input, read_order, with_batch
from worker.cli.run.order import Destination, Order
from worker.cli.run.submit import Audit, Lost, refuse_gone, submit
from worker.cli.run.workers import choose_workers
from worker.cli.snapshot import report, take_snapshot
from worker.environment.addresses import is_loopback
from worker.process.factories import open_destinations
from worker.producer import DEFAULT_TENANT
from worker.settings import HOME, Settings
from worker.store.database import Database
from worker.store.queries import jobs

QUESTION = "Continue?"
MAX_COST_BY_ENTER: Final = Decimal(5)
"""US dollars. Above this, Enter means no: a yes must be typed."""


def agreed(
    database: Database, wanted: Input, *, order: Order, settings: Settings, terminal: Terminal, confirmed: int
) -> bool:
    """Return whether to buy. Asks only on a terminal, and not again about the `confirmed` texts already confirmed."""
    if order.rehearse:
        return True
    asks = order.ask and order.source is not None and console.can_ask()
    if terminal.quiet and not asks:
        return True
    found = needs.estimated(database, wanted, settings)
    if found.calls <= confirmed:
        return True
    allowed = needs.allowance(database, wanted, order.max_cost)
    summary = in_short(found, account_credits.fetch(settings, database), allowed)
    if not asks:
        terminal.note(summary)
        return True
    terminal.warn(summary)  # the question needs it, even if quiet
    return console.agreed(terminal, QUESTION, enter=found.cost <= MAX_COST_BY_ENTER)


CONCURRENT_HEADS: Final = 16
LOG_NAME: Final = "ttsq.log"


def run(order: Order, terminal: Terminal) -> Exit:
    """Run the command."""
    settings = cli_database.settings(terminal)
    order, judged = read_order(order, settings, terminal)
    if order.rehearse:
        stage: AbstractContextManager[Settings] = rehearsal.stage()
    else:
        _require_key(order, settings)
        _name_host(settings, terminal)
        stage = nullcontext(settings)
    with stage as settings:
        destination = run_order.choose(settings, order.out, stem=order.stem, rehearsal=order.rehearse)
        _check_writable(destination)
        origin = rehearsal.ORIGIN if order.rehearse else settings.segmind_base_url
        with cli_database.queue_to_fill(settings) as database:
            wanted = with_batch(
                database,
                Input(
                    judged.rows,
                    origin,
                    destination.output_url,
                    order.resume,
                    order.key_template,
                    sources=order.sources,
                ),
            )
            lost = _lost(database, wanted, order, settings)
            refuse_gone(database, wanted, order, lost)
            _refuse_clashes(destination, wanted, order, lost)
            wanted = replace(wanted, lost=frozenset(lost.gone if order.missing else ()))
            if held := _held(database, wanted, order, settings, terminal):
                return held
            before = again.refused(database, wanted)
            wanted = replace(wanted, again=again.agreed(before, order=order, settings=settings, terminal=terminal))
            confirmed = before.texts if wanted.again and order.ask else 0
            if not agreed(database, wanted, order=order, settings=settings, terminal=terminal, confirmed=confirmed):
                terminal.note("Nothing was queued or charged.")
                return Exit.INTERRUPTED
            with Interrupts() as interrupts:
                log_file = (rehearsal.FOLDER if order.rehearse else HOME) / LOG_NAME
                workers = choose_workers(settings, database, log_file, origin=origin)
                began = time.monotonic()
                workers.start()
                try:
                    submitted = submit(
                        database,
                        wanted,
                        order=order,
                        settings=settings,
                        destination=destination,
                        lost=lost,
                        terminal=terminal,
                    )
                except BaseException:
                    workers.stop(grace_seconds=0)
                    raise
                workers.wake()
                return Run(
                    order,
                    settings,
                    terminal,
                    database,
                    workers,
                    interrupts,
                    destination,
                    submitted,
                    began,
                    judged.total_faults,
                ).follow()


def _lost(database: Database, wanted: Input, order: Order, settings: Settings) -> Lost:
    """Audit the files of a resumed batch."""
    if wanted.batch is None:
        return Lost()
    places = open_destinations(settings, database, connections=CONCURRENT_HEADS)
    return Audit(
        database, places, wanted.batch, DEFAULT_TENANT, overwrite=order.overwrite, offload=not settings.embedded
    ).run()


def _refuse_clashes(destination: Destination, wanted: Input, order: Order, lost: Lost) -> None:
    """Check for user files with the names of the output before anything is bought."""
    if destination.output_url is not None and (folder := path_of(destination.output_url)) is not None:
        shown = Path(destination.shown)
        clashes.refuse(
            shown if shown.resolve() == folder else folder,
            wanted.rows,
            template=order.key_template,
            overwrite=order.overwrite,
            but=lost.changed,
        )
    if destination.copies is not None:
        clashes.refuse(destination.copies, wanted.rows, template=None, overwrite=order.overwrite)


def _held(database: Database, wanted: Input, order: Order, settings: Settings, terminal: Terminal) -> Exit | None:
    """Return HELD if refused takes hold the whole batch: nothing would be bought, so nothing is confirmed."""
    if wanted.batch is None:
        return None
    snapshot = take_snapshot(database, jobs.of_batch(wanted.batch), embedded=settings.embedded)
    refusal = refused.find(database, wanted.batch, snapshot) if snapshot.stands_still else None
    if refusal is None:
        return None
    terminal.warn(f"{order.title}: {number(refusal.held, 'text')} held by refused takes", style="yellow")
    for line in refused.lines(refusal, order):
        terminal.warn(f"  {line}")
    terminal.data(report(snapshot, batch=wanted.batch, seconds=0))
    return Exit.HELD


def _require_key(order: Order, settings: Settings) -> None:
    """Require an API key, unless the work is done by external workers. Raises NoKeyError."""
    if settings.embedded and settings.segmind_api_key is None and settings.segmind_base_url == OFFICIAL_BASE_URL:
        raise NoKeyError(order.typed)


def _name_host(settings: Settings, terminal: Terminal) -> None:
    """Name the host that gets the key, if it is neither Segmind's nor this machine."""
    address = settings.segmind_base_url
    if settings.embedded and address != OFFICIAL_BASE_URL and not is_loopback(address):
        terminal.note(f"Calls go to {address} (SEGMIND_BASE_URL), not to Segmind.", "yellow")


def _check_writable(destination: Destination) -> None:
    """Check that the destination is writable before the first paid call."""
    if destination.output_url is not None:
        store = open_store(destination.output_url)
        store.check()
        store.close()
    if destination.copies is not None:
        destination.copies.mkdir(parents=True, exist_ok=True)
        with arriving(destination.copies) as probe:
            probe.touch()
