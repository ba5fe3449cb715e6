"""Objects of old jobs removed from their stores, then the rows that named them; in this order, to lose track of none.

Its weakness: broken off in between, a job's row names audio that is gone, until the same command goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic_core import PydanticCustomError

from api_models.values import span
from worker.artifacts import ownership
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.ownership import Owner
from worker.cli import database as cli_database
from worker.cli.console import terminal as console
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.exits import Exit
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.execution.destinations import Destinations
from worker.process.factories import open_places
from worker.results.files import CONTENT_TYPES
from worker.store.access import idempotency
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import prunable, results
from worker.store.queries.prunable import Old, Stored

JOBS_PER_PAGE: Final = 500
BATCHES_PER_PAGE: Final = 100
THREADS: Final = 8
FIRST: Final = UUID(int=0)


@dataclass(slots=True)
class Cleared:
    """What became of it."""

    batches: int = 0
    jobs: int = 0
    objects: int = 0
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Of everything that ended before a moment."""

    database: Database
    places: Destinations
    before: datetime
    cleared: Cleared = field(default_factory=Cleared)

    def run(self) -> Cleared:
        """Clear it away. What an object in trouble belongs to stays, and is told."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="prune") as pool:
            for batch in self._batches():
                self._clear_batch(pool, batch)
            after = FIRST
            while page := self._single(after):
                self._clear(pool, page, None)
                after = page[-1].id
        return self.cleared

    def _batches(self) -> Iterator[BatchRecord]:
        after = FIRST
        while True:
            with self.database.read() as connection:
                page = prunable.batches(connection, before=self.before, after=after, most=BATCHES_PER_PAGE)
            if not page:
                return
            yield from page
            after = page[-1].id

    def _single(self, after: UUID) -> list[Stored]:
        with self.database.read() as connection:
            return prunable.single(connection, before=self.before, after=after, most=JOBS_PER_PAGE)

    def _clear_batch(self, pool: ThreadPoolExecutor, batch: BatchRecord) -> None:
        while page := self._page(batch):
            if not self._clear(pool, page, batch):
                return
        if not self._remove_files(batch):
            return
        with self.database.begin() as connection:
            self.cleared.batches += prunable.forget_batch(connection, batch.id)

    def _page(self, batch: BatchRecord) -> list[Stored]:
        with self.database.read() as connection:
            return prunable.of_batch(connection, batch.id, most=JOBS_PER_PAGE)

    def _clear(self, pool: ThreadPoolExecutor, page: Sequence[Stored], batch: BatchRecord | None) -> bool:
        """Whether all of the page is gone."""
        with self.database.read() as connection:
            others = set() if batch is None else prunable.claimed_by_others(connection, batch, page)
            needed = results.needed(connection, [job.id for job in page])
        batch_id = None if batch is None else batch.id
        removed = list(pool.map(lambda job: self._remove(job, batch_id, others, forget=job.id not in needed), page))
        gone = [job.id for job, objects in zip(page, removed, strict=True) if objects is not None]
        with self.database.begin() as connection:
            self.cleared.jobs += prunable.forget(connection, gone)
        self.cleared.objects += sum(objects or 0 for objects in removed)
        return len(gone) == len(page)

    def _remove(self, job: Stored, batch_id: UUID | None, others: set[str], *, forget: bool) -> int | None:
        """How many objects of a job were removed; None where one couldn't be.

        One in an unknown store is left there, and so is one that another job, or the user, has put in its place.
        """
        removed, owner = 0, Owner(job=str(job.id))
        try:
            for uri in filter(None, (job.uri, *job.takes)):
                place = None if uri in others else self.places.containing(uri, tenant=job.tenant, batch_id=batch_id)
                sha256 = job.sha256 if uri == job.uri else None
                if place is not None:
                    removed += ownership.remove(place.store, place.key, owner, sha256=sha256, forget=forget)
        except ArtifactsError as error:
            self.cleared.troubles.append(f"{job.custom_id or job.id}: {error.message}")
            return None
        return removed

    def _remove_files(self, batch: BatchRecord) -> bool:
        """The result files, unless another batch's have taken their place."""
        if batch.results_uri is None:
            return True
        try:
            for name in CONTENT_TYPES:
                place = self.places.containing(f"{batch.results_uri}/{name}", tenant=batch.tenant, batch_id=batch.id)
                if place is not None:
                    owner = Owner(batch=str(batch.id))
                    self.cleared.objects += ownership.remove(place.store, place.key, owner, sha256=None)
        except ArtifactsError as error:
            self.cleared.troubles.append(f"{batch.name}: {error.message}")
            return False
        return True


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
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            before = database.now(connection) - age
            old = prunable.count(connection, before=before)
        if old.jobs or old.batches:
            if not yes and not console.can_ask():
                raise CliError(f"{_words(old)} would be removed", "agree to it with --yes")
            if not yes and not console.agreed(terminal, f"Remove {_words(old)} for good?", enter=False):
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
        terminal.warn(f"  not removed: {trouble}", style="red")
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
