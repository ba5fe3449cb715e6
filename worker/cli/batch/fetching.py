"""Objects of a batch into a folder: several at a time, each checked, and none that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from api_models.status import JobStatus
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.folder import FolderStore
from worker.artifacts.ownership import Owner
from worker.artifacts.store import Wanted
from worker.execution.places import Place, Places
from worker.results.place import Place as Results
from worker.store import views
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.views import JobRecord

PAGE_JOBS: Final = 1_000


@dataclass(slots=True)
class Fetched:
    """What became of it."""

    names: list[str] = field(default_factory=list)
    """Files that are there now, from the folder."""
    bytes: int = 0
    already: int = 0
    """Of those, the ones that were there before."""
    removed: int = 0
    """Jobs whose audio was removed when its time was over."""
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Of one batch, into one folder."""

    database: Database
    places: Places
    batch: BatchRecord
    folder: FolderStore
    overwrite: bool = False
    """Whether files that ttsq didn't make may be replaced."""

    def run(self, parallel: int, progress: Callable[[Fetched], object] = lambda _: None) -> Fetched:
        """Fetch all that is there. Safe to be given again: it goes on from where it was broken off."""
        store = self.places.store_of(tenant=self.batch.tenant, batch_id=self.batch.id)
        shared = Results.of(self.batch, store).folder if self.batch.output_url is None else ""
        found, under_way = Fetched(), set[Future[tuple[str, int, bool]]]()
        with ThreadPoolExecutor(parallel, thread_name_prefix="download") as pool:
            for job in self._spoken():
                if job.purged_at is not None:
                    found.removed += 1
                    continue
                under_way.add(pool.submit(self._fetch, job, shared))
                if len(under_way) >= parallel * 2:
                    under_way = _note(found, under_way)
                    progress(found)
            while under_way:
                under_way = _note(found, under_way)
                progress(found)
        return found

    def _spoken(self) -> Iterator[JobRecord]:
        after: UUID | None = None
        while True:
            with self.database.read() as connection:
                which = views.of_batch(self.batch.id)
                page = views.jobs(connection, which, states=[JobStatus.SUCCEEDED], after=after, most=PAGE_JOBS)
            yield from page
            if len(page) < PAGE_JOBS:
                return
            after = page[-1].id

    def _fetch(self, job: JobRecord, shared: str) -> tuple[str, int, bool]:
        """The file's name, its bytes, and whether it was there before. Raises _MissedError."""
        place = self.places.holding(job.uri or "", tenant=job.tenant, batch_id=job.batch_id)
        if place is None:
            raise _MissedError(f"{job.uri} lies in no store of these settings")
        name, size = place.key.removeprefix(shared), job.audio_bytes or 0
        try:
            there = self.folder.head(name)
            if there is not None and there.sha256 == job.sha256:
                return name, size, True
            if self._receive(name, place, job):
                return name, size, False
            other = place.store.occupant(place.key) is not None
            why = "another take lies there than the one that was recorded" if other else "it is no longer there"
            raise _MissedError(f"{name}: {why}")
        except NameTakenError as error:
            message = "something that ttsq didn't make has this name; choose another folder, or add --overwrite"
            raise _MissedError(f"{name}: {message}") from error
        except ArtifactsError as error:
            raise _MissedError(f"{name}: {error.message}") from error

    def _receive(self, name: str, place: Place, job: JobRecord) -> bool:
        source = Wanted(place.key, job.sha256 or "", job.audio_bytes)
        owner = Owner(str(job.id), str(self.batch.id)).metadata()
        try:
            return self.folder.receive(name, place.store, source, metadata=owner)
        except NameTakenError:
            if not (self.overwrite and self.folder.adopt(name)):
                raise
            return self.folder.receive(name, place.store, source, metadata=owner)


class _MissedError(Exception):
    """One file couldn't be had; the message says why."""


def _note(found: Fetched, under_way: set[Future[tuple[str, int, bool]]]) -> set[Future[tuple[str, int, bool]]]:
    done, rest = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        try:
            name, size, was_there = future.result()
        except _MissedError as error:
            found.troubles.append(str(error))
            continue
        found.names.append(name)
        found.bytes += size
        found.already += was_there
    return rest
