"""Jobs tried again or called off at someone's request. Which jobs, in how many words, and what that means for money."""

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
from worker.cli.run.again import QUESTION, in_words
from worker.maintenance.purger import Purger
from worker.process.factories import open_places
from worker.producer import AGAIN
from worker.store.queries import filters as job_filters
from worker.store.queries import jobs, refusals
from worker.store.transitions import actions, purges


def retry_jobs(ids: Sequence[str], filters: Filters, *, ask: bool) -> None:
    """Finished jobs without audio are queued again, under their own ids. `ask` before paying for refused takes again.

    Without a terminal the command itself is the consent: unlike `ttsq run`, it does nothing else.
    """
    terminal = Terminal()
    require_choice(ids, filters, "tried again")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            which = filters.chosen(connection, chosen_ids(connection, ids))
            paid = refusals.in_vain(connection, which)
        if paid.texts:
            terminal.warn(in_words(paid, settings.max_takes))
            if ask and console.can_ask() and not console.agreed(terminal, QUESTION, enter=False):
                terminal.result("Nothing was queued.")
                return
        with database.begin() as connection:
            retried = actions.retry(connection, which, states=AGAIN)
    if not retried:
        terminal.result("Nothing to try again: none of these jobs has failed, expired or been cancelled.")
        return
    who = "the next `ttsq run` works them off" if settings.embedded else "the workers take them up now"
    terminal.result(f"{number(retried, 'job')} queued again; {who}.")


def cancel_jobs(ids: Sequence[str], filters: Filters) -> None:
    """Whatever isn't over ends here."""
    terminal = Terminal()
    require_choice(ids, filters, "called off")
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        unfinished = job_filters.unfinished(filters.chosen(connection, chosen_ids(connection, ids)))
        before = jobs.counts(connection, unfinished)
        cancelled = actions.cancel(connection, unfinished, now=database.now(connection))
    if not cancelled:
        terminal.result("Nothing to call off: all of these jobs are over.")
        return
    paid = money(before.cost) if before.cost else "nothing"
    terminal.result(f"{number(cancelled, 'job')} cancelled; {paid} had been paid for them.")
    if running := before.of(JobStatus.RUNNING):
        terminal.note(f"{number(running, 'call')} under way can't be called back; what they cost is still recorded.")


def require_choice(ids: Sequence[str], filters: Filters, done: str) -> None:
    """Changing every job there is takes more than leaving everything out."""
    if not ids and filters.batch is None and filters.code is None:
        raise NothingChosenError(done)


def chosen_ids(connection: Connection, ids: Sequence[str]) -> tuple[UUID, ...]:
    return tuple(cli_database.job(connection, wanted).id for wanted in ids)


def delete_jobs(ids: Sequence[str], filters: Filters) -> None:
    """What is over loses its text and audio; what isn't is left alone."""
    terminal = Terminal()
    require_choice(ids, filters, "deleted")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.begin() as connection:
            which = filters.chosen(connection, chosen_ids(connection, ids))
            asked, unfinished = purges.ask(connection, which, now=database.now(connection))
            wanted = job_filters.ids(connection, which) if asked else []
        done = Purger(database, open_places(settings, database, connections=8)).run(wanted)
    if not asked:
        terminal.result("Nothing to delete: none of these jobs is over and still has its text.")
    else:
        terminal.result(f"Text and audio of {number(done, 'job')} removed; the rows, and what they cost, stay.")
    if done < asked:
        terminal.note(f"Of {number(asked - done, 'job')} something could not be removed; workers go on trying.")
    if unfinished:
        terminal.note(f"{number(unfinished, 'job')} not over and left alone; `ttsq jobs cancel` ends them.")
