"""Whether a batch's audio is where its rows say, by checksum: put back from what a folder remembers, or named.

Weakness: of more than 1,000 objects in a bucket only presence and size are compared (see `ArtifactStore.unsound`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.folder import FolderStore
from worker.artifacts.ownership import Owner
from worker.artifacts.store import ArtifactStore, StoredObject, Wanted
from worker.execution.places import Places
from worker.store import contents
from worker.store.contents import Audio
from worker.store.database import Database

PAGE_JOBS: Final = 100_000
"""A bucket is listed once for each page."""
SHOWN_NAMES: Final = 3


@dataclass(slots=True)
class Lost:
    """What is not where it should be."""

    put_back: int = 0
    gone: set[UUID] = field(default_factory=set)
    """The jobs whose audio is nowhere to be found."""
    replaced: list[str] = field(default_factory=list)
    """Names that a later batch's audio has."""
    changed: list[str] = field(default_factory=list)
    """Names of files that something else has changed or replaced."""
    renamed: list[str] = field(default_factory=list)
    """Names that audio was given because its own was taken."""

    @property
    def unsound(self) -> int:
        """How many texts have no file of theirs under their own name."""
        return len(self.gone) + len(self.replaced) + len(self.changed) + len(self.renamed)


@dataclass(frozen=True, slots=True)
class Audit:
    """Of one batch's audio."""

    database: Database
    places: Places
    batch: UUID
    tenant: str
    overwrite: bool = False
    """Whether what was changed by another hand is replaced by the recorded audio."""
    elsewhere: bool = False
    """Whether workers on other machines may have the folder."""

    def run(self) -> Lost:
        """Look at every object, and put back what can be. Buys nothing. Raises ArtifactsError."""
        lost, jobs = Lost(), 0
        store = self.places.store_of(tenant=self.tenant, batch_id=self.batch)
        for page in self._pages():
            jobs += len(page)
            self._look(store, page, lost)
        if self.elsewhere and len(lost.gone) == jobs and isinstance(store, FolderStore) and not store.was_written:
            lost.gone.clear()
        return lost

    def _pages(self) -> Iterator[Sequence[Audio]]:
        after: UUID | None = None
        while True:
            with self.database.read() as connection:
                page = contents.audio(connection, self.batch, after=after, most=PAGE_JOBS)
            if page:
                yield page
            if len(page) < PAGE_JOBS:
                return
            after = page[-1].id

    def _look(self, store: ArtifactStore, page: Sequence[Audio], lost: Lost) -> None:
        jobs = {key: job for job in page if (key := store.key_of(job.uri)) is not None}
        lost.renamed += [key for key, job in jobs.items() if str(job.id) in key and job.custom_id is not None]
        wanted = [Wanted(key, job.sha256, job.audio_bytes) for key, job in jobs.items()]
        for key, found in (store.unsound(wanted) if wanted else {}).items():
            self._sort(store, key, jobs[key], found, lost)

    def _sort(self, store: ArtifactStore, key: str, job: Audio, found: StoredObject | None, lost: Lost) -> None:
        if found is None or (self.overwrite and isinstance(store, FolderStore) and store.adopt(key)):
            if self._put_back(store, key, job):
                lost.put_back += 1
            else:
                lost.gone.add(job.id)
        elif found.known and Owner.of(found.metadata).job not in {None, str(job.id)}:
            lost.replaced.append(key)
        else:
            lost.changed.append(key)

    def _put_back(self, store: ArtifactStore, key: str, job: Audio) -> bool:
        """The very content that was bought, by its checksum; another's is worth nothing."""
        metadata = Owner(str(job.id), str(self.batch)).metadata()
        with suppress(ArtifactsError, NameTakenError):
            return store.copy(job.uri, key, metadata=metadata, sha256=job.sha256) is not None
        return False


def named(names: Sequence[str]) -> str:
    """The first few."""
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
