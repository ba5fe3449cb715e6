"""`ttsq jobs retry|cancel|delete`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from api_models.status import JobStatus
from worker.cli import database as cli_database
from worker.cli.console import terminal as console
from worker.cli.console.errors import NothingChosenError
from worker.cli.console.format import money, number
from worker.cli.console.terminal import Terminal
from worker.cli.jobs.list import Filters
from worker.cli.run.again import QUESTION, describe
from worker.maintenance.purger import Purger
from worker.process.factories import open_destinations
from worker.producer import AGAIN
from worker.store.queries import filters as job_filters
from worker.store.queries import jobs, refusals
from worker.store.transitions import actions, purges


def retry_jobs(ids: Sequence[str], filters: Filters, *, ask: bool, as_json: bool) -> None:
    """Queue finished jobs without audio again, under their own ids. `ask` before paying for refused takes again.

    Without a terminal the command itself is the consent: unlike `ttsq run`, it does nothing else.
    """
    terminal = Terminal(as_json=as_json)
    require_choice(ids, filters, "retried")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            which = filters.chosen(connection, chosen_ids(connection, ids))
            paid = refusals.in_vain(connection, which)
        if paid.texts:
            terminal.warn(describe(paid, settings.max_takes))
            if ask and console.can_ask() and not console.agreed(terminal, QUESTION, enter=False):
                terminal.done("Nothing was queued.", jobs=0)
                return
        with database.begin() as connection:
            retried = actions.retry(connection, which, states=AGAIN)
    if not retried:
        terminal.done("Nothing to retry: none of these jobs failed, expired or was cancelled.", jobs=0)
        return
    next_step = "the next `ttsq run` starts them" if settings.embedded else "workers start them now"
    terminal.done(f"{number(retried, 'job')} queued again; {next_step}.", jobs=retried)


def cancel_jobs(ids: Sequence[str], filters: Filters, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    require_choice(ids, filters, "cancelled")
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        unfinished = job_filters.unfinished(filters.chosen(connection, chosen_ids(connection, ids)))
        before = jobs.counts(connection, unfinished)
        cancelled = actions.cancel(connection, unfinished, now=database.now(connection))
    if not cancelled:
        terminal.done("Nothing to cancel: all of these jobs have finished.", jobs=0)
        return
    paid = money(before.cost) if before.cost else "nothing"
    terminal.done(f"{number(cancelled, 'job')} cancelled; {paid} spent on them.", jobs=cancelled)
    if running := before.of(JobStatus.RUNNING):
        terminal.note(f"{number(running, 'call')} in flight cannot be cancelled; their cost is still recorded.")


def require_choice(ids: Sequence[str], filters: Filters, action: str) -> None:
    """Refuse to change every job of the queue just because no option was set. Raises NothingChosenError."""
    if not ids and filters.batch is None and filters.code is None:
        raise NothingChosenError(action)


def chosen_ids(connection: Connection, ids: Sequence[str]) -> tuple[UUID, ...]:
    return tuple(cli_database.job(connection, wanted).id for wanted in ids)


def delete_jobs(ids: Sequence[str], filters: Filters, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    require_choice(ids, filters, "deleted")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.begin() as connection:
            which = filters.chosen(connection, chosen_ids(connection, ids))
            requested, unfinished = purges.ask(connection, which, now=database.now(connection))
            wanted = job_filters.ids(connection, which) if requested else []
        deleted = Purger(database, open_destinations(settings, database, connections=8)).run(wanted)
    if not requested:
        message = "Nothing to delete: no finished job here still has its text."
    else:
        message = f"Text and audio of {number(deleted, 'job')} deleted; rows and costs are kept."
    terminal.done(message, jobs=deleted, requested=requested, unfinished=unfinished)
    if deleted < requested:
        terminal.note(f"{number(requested - deleted, 'job')} could not be deleted completely; workers keep retrying.")
    if unfinished:
        terminal.note(f"{number(unfinished, 'job')} not finished, left unchanged; `ttsq jobs cancel` cancels them.")
