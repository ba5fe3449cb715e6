"""`ttsq prune`: asked, then done, then told."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic_core import PydanticCustomError

from api_models.values import span
from worker.cli.batch.clearing import Clearing
from worker.cli.queue import opening
from worker.cli.talk import asking
from worker.cli.talk.errors import BadOptionError, CliError
from worker.cli.talk.exits import Exit
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import number
from worker.opening import open_places
from worker.store import idempotency, pruning
from worker.store.pruning import Old

LEAST: Final = idempotency.KEPT
"""So long a request that is repeated must find the job that it made."""
CONNECTIONS: Final = 8
MEGABYTE: Final = 1_000_000
SHOWN_TROUBLES: Final = 10


def prune(older_than: str, *, yes: bool, as_json: bool) -> Exit:
    """Clear away what ended that long ago. SOME_FAILED where a store was in trouble.

    Raises:
        CliError: nobody can be asked, and nobody has agreed.
    """
    terminal = Terminal(as_json=as_json)
    age = _age(older_than)
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.read() as connection:
            before = database.now(connection) - age
            old = pruning.count(connection, before=before)
        if old.jobs or old.batches:
            if not yes and not asking.can_ask():
                raise CliError(f"{_words(old)} would be removed", "agree to it with --yes")
            if not yes and not asking.agreed(terminal, f"Remove {_words(old)} for good?", enter=False):
                terminal.note("Nothing was removed.")
                return Exit.INTERRUPTED
        cleared = Clearing(database, open_places(settings, database, connections=CONNECTIONS), before).run()
    terminal.data(
        {
            "batches": cleared.batches,
            "jobs": cleared.jobs,
            "objects": cleared.objects,
            "troubles": cleared.troubles,
        }
    )
    terminal.result(
        f"{number(cleared.jobs, 'job')} and {number(cleared.objects, 'object')} removed; the ledger keeps their costs."
        if cleared.jobs or cleared.batches
        else "Nothing is that old."
    )
    for trouble in cleared.troubles[:SHOWN_TROUBLES]:
        terminal.trouble(f"  not removed: {trouble}", style="red")
    return Exit.SOME_FAILED if cleared.troubles else Exit.DONE


def _age(text: str) -> timedelta:
    try:
        seconds = span(text)
    except PydanticCustomError:
        seconds = None
    if seconds is None:
        raise BadOptionError("--older-than", text, "is no length of time", "write it as 30d, 8w or 72h")
    age = timedelta(seconds=seconds)
    if age < LEAST:
        raise BadOptionError(
            "--older-than",
            text,
            "is too short",
            "two days are the least: until then, a request that is repeated finds the job that it made",
        )
    return age


def _words(old: Old) -> str:
    size = f"{old.bytes / MEGABYTE:,.1f} MB of audio"
    batches = f"{old.batches:,} whole {'batch' if old.batches == 1 else 'batches'}"
    return f"{number(old.jobs, 'job')} with {size}, among them {batches}"
