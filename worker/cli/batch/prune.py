"""`ttsq prune`: remove the objects of old jobs, then their rows, so that no object is orphaned.

Weakness: if interrupted, rows name audio that no longer exists until the command is repeated.
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
from worker.process.factories import open_destinations
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
    batches: int = 0
    jobs: int = 0
    objects: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Removes everything that finished before a moment."""

    database: Database
    places: Destinations
    before: datetime
    cleared: Cleared = field(default_factory=Cleared)

    def run(self) -> Cleared:
        """Remove everything that is old enough. If an object cannot be removed, its row is kept and the error
        reported."""
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
        """Return the number of removed objects of a job, or None if one could not be removed.

        Objects in an unknown store are kept, and so are objects that another job or the user has replaced.
        """
        removed, owner = 0, Owner(job=str(job.id))
        try:
            for uri in filter(None, (job.uri, *job.takes)):
                place = None if uri in others else self.places.containing(uri, tenant=job.tenant, batch_id=batch_id)
                sha256 = job.sha256 if uri == job.uri else None
                if place is not None:
                    removed += ownership.remove(place.store, place.key, owner, sha256=sha256, forget=forget)
        except ArtifactsError as error:
            self.cleared.failures.append(f"{job.custom_id or job.id}: {error.message}")
            return None
        return removed

    def _remove_files(self, batch: BatchRecord) -> bool:
        """Remove the result files, unless another batch has replaced them."""
        if batch.results_uri is None:
            return True
        try:
            for name in CONTENT_TYPES:
                place = self.places.containing(f"{batch.results_uri}/{name}", tenant=batch.tenant, batch_id=batch.id)
                if place is not None:
                    owner = Owner(batch=str(batch.id))
                    self.cleared.objects += ownership.remove(place.store, place.key, owner, sha256=None)
        except ArtifactsError as error:
            self.cleared.failures.append(f"{batch.name}: {error.message}")
            return False
        return True


MIN_AGE: Final = idempotency.KEPT
"""Idempotency keys are valid this long, so a repeated request must still find its job."""
CONNECTIONS: Final = 8
MEGABYTE: Final = 1_000_000
SHOWN_FAILURES: Final = 10


def prune(older_than: str, *, yes: bool, as_json: bool) -> Exit:
    """Remove old batches and jobs. Returns SOME_FAILED if a store failed. Raises CliError: not confirmed, and there is
    no terminal to ask on.
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
                raise CliError(f"{_describe(old)} would be removed", "confirm with --yes")
            if not yes and not console.agreed(terminal, f"Permanently remove {_describe(old)}?", enter=False):
                terminal.note("Nothing was removed.")
                return Exit.INTERRUPTED
        cleared = Clearing(database, open_destinations(settings, database, connections=CONNECTIONS), before).run()
    terminal.data(
        {
            "batches": cleared.batches,
            "jobs": cleared.jobs,
            "objects": cleared.objects,
            "troubles": cleared.failures,
        }
    )
    terminal.result(
        f"{number(cleared.jobs, 'job')} and {number(cleared.objects, 'object')} removed; the ledger keeps their costs."
        if cleared.jobs or cleared.batches
        else "Nothing is old enough."
    )
    for failure in cleared.failures[:SHOWN_FAILURES]:
        terminal.warn(f"  not removed: {failure}", style="red")
    return Exit.SOME_FAILED if cleared.failures else Exit.DONE


def _age(text: str) -> timedelta:
    try:
        seconds = span(text)
    except PydanticCustomError:
        seconds = None
    if seconds is None:
        raise BadOptionError("--older-than", text, "is not a duration", "write it as 30d, 8w or 72h")
    age = timedelta(seconds=seconds)
    if age < MIN_AGE:
        raise BadOptionError(
            "--older-than",
            text,
            "is too short",
            "the minimum is 2d, the lifetime of idempotency keys",
        )
    return age


def _describe(old: Old) -> str:
    size = f"{old.bytes / MEGABYTE:,.1f} MB of audio"
    batches = f"{old.batches:,} whole {'batch' if old.batches == 1 else 'batches'}"
    return f"{number(old.jobs, 'job')} with {size}, including {batches}"
