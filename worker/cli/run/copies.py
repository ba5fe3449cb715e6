"""Copies finished audio from the store to a folder during a run. Never writes to the store.

Of several runs into one folder, the one that began last has the names: an earlier one that is still going leaves them.

Weakness: a failed copy is retried only at the end of the run, and then by repeating the command.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from worker.artifacts.errors import ArtifactsError, ArtifactsFault, NameTakenError
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import RUN, Owner, Standing, standing
from worker.artifacts.store import ArtifactStore, Wanted
from worker.cli.run.order import file_name
from worker.store.database import Database
from worker.store.queries import filters, jobs
from worker.store.queries.jobs import JobRecord

ROUND_SECONDS: Final = 1.0
STOP_SECONDS: Final = 2.0
"""Maximum wait for the current copy after Ctrl-C."""
OVERLAP_SECONDS: Final = 30.0
"""A row may become visible this long after its `finished_at`."""
PAGE_JOBS: Final = 500


class Copies:
    """Copies in a background thread. A context manager."""

    def __init__(self, database: Database, which: ColumnElement[bool], store: ArtifactStore, folder: Path) -> None:
        """`which` selects the jobs of the run."""
        self._database = database
        self._which = which
        self._store = store
        self._folder = folder
        self._copies = FolderStore(folder.absolute(), remembers=False)
        self._run = str(uuid7())
        self._copied: set[UUID] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="copies", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._store.close()

    def finish(self) -> list[str]:
        """Copy everything still missing. Returns one message per failure."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        return [message for job in self._all() if (message := self._copy(job))]

    def _loop(self) -> None:
        while not self._stopping.wait(ROUND_SECONDS):
            for job in self._recent():
                if self._stopping.is_set():
                    return
                self._copy(job)

    def _recent(self) -> list[JobRecord]:
        try:
            with self._database.read() as connection:
                since = self._database.now(connection) - timedelta(seconds=OVERLAP_SECONDS)
                which = filters.finished_since(self._which, since)
                return jobs.jobs(connection, which, states=[JobStatus.SUCCEEDED])
        except SQLAlchemyError:
            return []  # `watch` reads the same database and reports the outage.

    def _all(self) -> Iterator[JobRecord]:
        after: UUID | None = None
        while True:
            with self._database.read() as connection:
                page = jobs.jobs(connection, self._which, states=[JobStatus.SUCCEEDED], after=after, most=PAGE_JOBS)
            yield from page
            if len(page) < PAGE_JOBS:
                return
            after = page[-1].id

    def _copy(self, job: JobRecord) -> str | None:
        """Copy one job's audio to the folder if needed. Returns an error message, or None."""
        if job.id in self._copied or job.purged_at is not None:
            return None
        target = self._folder / file_name(job)
        try:
            if not self._copies.restate(target.name, job.sha256 or "", self._owner(job)):
                self._fetch(job)
        except _LaterRunError:
            return f"{target}: a later run has written this file"
        except NameTakenError:
            return f"{target}: exists and was not created by ttsq; add --overwrite to replace it"
        except ArtifactsError as error:
            return f"{target.name}: {error.message}"
        except OSError as error:
            return f"{target}: {error.strerror or error}"
        self._copied.add(job.id)
        return None

    def _fetch(self, job: JobRecord) -> None:
        key = self._store.key_of(job.uri or "")
        if key is None or not self._receive(file_name(job), Wanted(key, job.sha256 or ""), self._owner(job)):
            raise ArtifactsError(ArtifactsFault.UNEXPECTED, f"{job.uri} is not in the store {self._store.url}")

    def _receive(self, name: str, source: Wanted, owner: Mapping[str, str]) -> bool:
        """Receive a file. It may replace the copy of a newer job, because the store keeps both, and nothing else."""
        try:
            return self._copies.receive(name, self._store, source, metadata=owner)
        except NameTakenError:
            occupant = self._copies.occupant(name)
            if standing(occupant, owner, source.sha256) is not Standing.NEWER or occupant is None:
                raise
            if RUN in occupant.metadata:
                raise _LaterRunError from None
            self._copies.adopt(name)
            return self._copies.receive(name, self._store, source, metadata=owner)

    def _owner(self, job: JobRecord) -> dict[str, str]:
        return {**Owner(str(job.id), None if job.batch_id is None else str(job.batch_id)).metadata(), RUN: self._run}


class _LaterRunError(Exception):
    """A run that began later has written a copy under the same name."""
