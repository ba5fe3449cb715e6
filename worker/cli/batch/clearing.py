"""Objects of old jobs removed from their stores, then the rows that named them; in this order, to lose track of none.

Its weakness: broken off in between, a job's row names audio that is gone, until the same command goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from worker.artifacts import ownership
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.ownership import Owner
from worker.execution.places import Places
from worker.results.files import CONTENT_TYPES
from worker.store import contents, pruning
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.pruning import Stored

JOBS_A_PAGE: Final = 500
BATCHES_A_PAGE: Final = 100
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
    places: Places
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
                page = pruning.batches(connection, before=self.before, after=after, most=BATCHES_A_PAGE)
            if not page:
                return
            yield from page
            after = page[-1].id

    def _single(self, after: UUID) -> list[Stored]:
        with self.database.read() as connection:
            return pruning.single(connection, before=self.before, after=after, most=JOBS_A_PAGE)

    def _clear_batch(self, pool: ThreadPoolExecutor, batch: BatchRecord) -> None:
        while page := self._page(batch):
            if not self._clear(pool, page, batch):
                return
        if not self._remove_files(batch):
            return
        with self.database.begin() as connection:
            self.cleared.batches += pruning.forget_batch(connection, batch.id)

    def _page(self, batch: BatchRecord) -> list[Stored]:
        with self.database.read() as connection:
            return pruning.of_batch(connection, batch.id, most=JOBS_A_PAGE)

    def _clear(self, pool: ThreadPoolExecutor, page: Sequence[Stored], batch: BatchRecord | None) -> bool:
        """Whether all of the page is gone."""
        with self.database.read() as connection:
            others = set() if batch is None else pruning.claimed_by_others(connection, batch, page)
            needed = contents.needed(connection, [job.id for job in page])
        batch_id = None if batch is None else batch.id
        removed = list(pool.map(lambda job: self._remove(job, batch_id, others, forget=job.id not in needed), page))
        gone = [job.id for job, objects in zip(page, removed, strict=True) if objects is not None]
        with self.database.begin() as connection:
            self.cleared.jobs += pruning.forget(connection, gone)
        self.cleared.objects += sum(objects or 0 for objects in removed)
        return len(gone) == len(page)

    def _remove(self, job: Stored, batch_id: UUID | None, others: set[str], *, forget: bool) -> int | None:
        """How many objects of a job were removed; None where one couldn't be.

        One in an unknown store is left there, and so is one that another job, or the user, has put in its place.
        """
        removed, owner = 0, Owner(job=str(job.id))
        try:
            for uri in filter(None, (job.uri, *job.takes)):
                place = None if uri in others else self.places.holding(uri, tenant=job.tenant, batch_id=batch_id)
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
                place = self.places.holding(f"{batch.results_uri}/{name}", tenant=batch.tenant, batch_id=batch.id)
                if place is not None:
                    owner = Owner(batch=str(batch.id))
                    self.cleared.objects += ownership.remove(place.store, place.key, owner, sha256=None)
        except ArtifactsError as error:
            self.cleared.troubles.append(f"{batch.name}: {error.message}")
            return False
        return True
