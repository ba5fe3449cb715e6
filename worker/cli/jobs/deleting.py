"""Text and audio of jobs removed at someone's request, at once; what can't be removed now is tried again by workers."""

from __future__ import annotations

from collections.abc import Sequence

from worker.cli.jobs.changing import chosen_ids, require_choice
from worker.cli.jobs.listing import Filters
from worker.cli.queue import opening
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import number
from worker.opening import open_places
from worker.retention.purging import Purger
from worker.store import selections
from worker.store.transitions import purging


def delete_jobs(ids: Sequence[str], filters: Filters) -> None:
    """What is over loses its text and audio; what isn't is left alone."""
    terminal = Terminal()
    require_choice(ids, filters, "deleted")
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.begin() as connection:
            which = filters.chosen(connection, chosen_ids(connection, ids))
            asked, unfinished = purging.ask(connection, which, now=database.now(connection))
            wanted = selections.ids(connection, which) if asked else []
        done = Purger(database, open_places(settings, database, connections=8)).run(wanted)
    if not asked:
        terminal.result("Nothing to delete: none of these jobs is over and still has its text.")
    else:
        terminal.result(f"Text and audio of {number(done, 'job')} removed; the rows, and what they cost, stay.")
    if done < asked:
        terminal.note(f"Of {number(asked - done, 'job')} something could not be removed; workers go on trying.")
    if unfinished:
        terminal.note(f"{number(unfinished, 'job')} not over and left alone; `ttsq jobs cancel` ends them.")
