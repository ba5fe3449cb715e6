"""Files of a run that are done and no longer there: put back from what their folder remembers, or named as lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from api_models.status import JobStatus
from worker.artifacts.addresses import path_of
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.opening import open_store
from worker.artifacts.store import ArtifactStore
from worker.store import views
from worker.store.database import Database
from worker.store.views import JobRecord

PAGE_JOBS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Lost:
    """What became of the files that weren't there."""

    put_back: int = 0
    gone: frozenset[UUID] = frozenset()
    """The jobs whose audio is nowhere to be found."""


def look(database: Database, batch: UUID | None, output_url: str | None) -> Lost:
    """Look for every file of a batch that has a folder of its own, and put back what can be. Buys nothing."""
    if batch is None or output_url is None:
        return Lost()
    missing = [job for page in _done(database, batch) for job in page if _is_missing(job)]
    if not missing:
        return Lost()
    store = open_store(output_url)
    try:
        gone = frozenset(job.id for job in missing if not _put_back(store, job))
    finally:
        store.close()
    return Lost(len(missing) - len(gone), gone)


def _is_missing(job: JobRecord) -> bool:
    path = path_of(job.uri or "")
    return path is not None and job.purged_at is None and not path.is_file()


def _put_back(store: ArtifactStore, job: JobRecord) -> bool:
    """The very content that was bought, by its checksum; another's is worth nothing."""
    key = None if job.uri is None else store.key_of(job.uri)
    if key is None or job.uri is None or job.sha256 is None:
        return False
    with suppress(ArtifactsError):
        return store.copy(job.uri, key, metadata={"ttsq-job": str(job.id)}, sha256=job.sha256) is not None
    return False


def _done(database: Database, batch: UUID) -> Iterator[list[JobRecord]]:
    after: UUID | None = None
    while True:
        with database.read() as connection:
            page = views.jobs(
                connection, views.of_batch(batch), states=[JobStatus.SUCCEEDED], after=after, most=PAGE_JOBS
            )
        yield page
        if len(page) < PAGE_JOBS:
            return
        after = page[-1].id
