"""`ttsq restore-check`."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import typer

from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.exits import Exit, leave
from worker.cli.console.format import money, number
from worker.cli.console.terminal import Terminal
from worker.execution.destinations import Destinations
from worker.execution.restoration import Found, Restoration
from worker.execution.settlements import AttemptLimits
from worker.process.factories import open_destinations
from worker.store import workers
from worker.store.database import Database
from worker.store.queries import holds

POLL_SECONDS: Final = 0.25
CONNECTIONS: Final = 16


class WorkersRunningError(CliError):
    def __init__(self, running: int) -> None:
        super().__init__(
            f"{number(running, 'worker')} running on this database",
            "stop all workers (and `ttsq run`), then repeat `ttsq restore-check`",
        )


def check_restored(terminal: Terminal, *, dry_run: bool) -> Exit:
    """Check the queue and print the result. Raises WorkersRunningError: a worker sends heartbeats."""
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        running = living(database)
        if running and not dry_run:
            raise WorkersRunningError(len(running))
        if running:
            terminal.warn(f"{number(len(running), 'worker')} running: the figures may change.")
        limits = AttemptLimits(settings.max_attempts, settings.max_takes)
        places = open_destinations(settings, database, connections=CONNECTIONS)
        try:
            found, moved = _checked(Restoration(database, places, limits), dry_run=dry_run)
        finally:
            _close(places)
    _report(terminal, found, moved, dry_run=dry_run)
    return Exit.DONE


def living(database: Database) -> set[UUID]:
    """Return the workers whose heartbeats advance; rows of a fresh backup look alive but do not.

    Takes as long as the newest heartbeat needs to become stale.
    """
    first = _fresh(database)
    while first:
        later = _fresh(database)
        moved = {worker for worker, beat in later.items() if first.get(worker) != beat}
        if moved or not later:
            return moved
        time.sleep(POLL_SECONDS)
    return set()


def _fresh(database: Database) -> dict[UUID, datetime]:
    with database.read() as connection:
        limit = database.now(connection) - timedelta(seconds=holds.STALE_SECONDS)
        return {one.id: one.heartbeat_at for one in workers.present(connection) if one.heartbeat_at >= limit}


def _checked(restoration: Restoration, *, dry_run: bool) -> tuple[Found, tuple[int, int] | None]:
    # First, so that no event id is reused even if the rest is interrupted.
    moved = None if dry_run else restoration.move_events_ahead()
    return sum(restoration.look() if dry_run else restoration.run(), Found()), moved


def _close(places: Destinations) -> None:
    for store in places.opened():
        store.close()


def _report(terminal: Terminal, found: Found, moved: tuple[int, int] | None, *, dry_run: bool) -> None:
    terminal.data(
        {
            "dry_run": dry_run,
            "unfinished": found.unfinished,
            "adopted": found.adopted,
            "copies": found.copies,
            "cost": f"{found.cost:f}",
            "estimated": found.estimated,
            "refused": found.refused,
            "given_up": found.given_up,
            "marked": found.marked,
            "events": None if moved is None else {"newest": moved[0], "next": moved[1] + 1},
        }
    )
    would = "would be " if dry_run else ""
    terminal.result(f"{number(found.unfinished, 'unfinished job')} in the database.")
    if found.adopted:
        terminal.result(f"{number(found.adopted, 'job')} {would}finished with audio found in the store.")
    if found.refused:
        ended = f"; {number(found.given_up, 'job')} {would}ended by them" if found.given_up else ""
        terminal.result(f"{number(found.refused, 'refused take')} found in the store{ended}.")
    if found.adopted or found.refused:
        estimated = f", {number(found.estimated, 'call')} at list price" if found.estimated else ""
        terminal.result(f"{money(found.cost)} {would}added to the ledger{estimated}.")
    if found.marked:
        terminal.result(
            f"{number(found.marked, 'job')} {would}marked: the store has no audio for them. They may have been"
            " bought after the backup; workers check the store and their spools before buying."
        )
    if moved is not None:
        terminal.result(f"Event ids continue from {moved[1] + 1}; the newest in the backup was {moved[0]}.")
    terminal.note("Jobs submitted after the backup are lost: submit them again. See docs/restore.md.")


def restore_check(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report changes without making them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """After restoring a backup, adopt the audio bought since.

    Looks up every unfinished job in the audio store. A job whose audio exists is finished and its cost recorded; other
    jobs are marked, so that workers search for their audio before buying it. Event ids are advanced, so that no webhook
    receives an id twice. Safe to repeat. Stop all workers first.
    """

    leave(check_restored(Terminal(as_json=as_json), dry_run=dry_run))
