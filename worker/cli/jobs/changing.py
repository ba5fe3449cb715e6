"""Jobs tried again or called off at someone's request. Which jobs, in how many words, and what that means for money."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from api_models.status import JobStatus
from worker.cli.jobs.listing import Filters
from worker.cli.queue import lookup, opening
from worker.cli.talk.errors import NothingChosenError
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import money, number
from worker.producer import AGAIN
from worker.store import selections, views
from worker.store.transitions import asking


def retry_jobs(ids: Sequence[str], filters: Filters) -> None:
    """Ended jobs go back into the queue, under their own ids."""
    terminal = Terminal()
    require_choice(ids, filters, "tried again")
    settings = opening.settings(terminal)
    with opening.queue(settings) as database, database.begin() as connection:
        which = filters.chosen(connection, chosen_ids(connection, ids))
        retried = asking.retry(connection, which, states=AGAIN)
    if not retried:
        terminal.result("Nothing to try again: none of these jobs has failed, expired or been cancelled.")
        return
    who = "the next `ttsq run` works them off" if settings.embedded else "the workers take them up now"
    terminal.result(f"{number(retried, 'job')} queued again; {who}.")


def cancel_jobs(ids: Sequence[str], filters: Filters) -> None:
    """Whatever isn't over ends here."""
    terminal = Terminal()
    require_choice(ids, filters, "called off")
    with opening.queue(opening.settings(terminal)) as database, database.begin() as connection:
        unfinished = selections.unfinished(filters.chosen(connection, chosen_ids(connection, ids)))
        before = views.counts(connection, unfinished)
        cancelled = asking.cancel(connection, unfinished, now=database.now(connection))
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
    return tuple(lookup.job(connection, wanted).id for wanted in ids)
