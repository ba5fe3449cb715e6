"""Which store and key a job's audio belongs to: its batch's own folder, or the store of the settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from worker.artifacts.keys import FLAT_TEMPLATE, SHARED_TEMPLATE, checked_key, object_key
from worker.artifacts.opening import open_store
from worker.artifacts.store import ArtifactStore
from worker.store import batches
from worker.store.database import Database
from worker.store.transitions.claiming import Claim

EXTENSION: Final = "wav"
REFUSED: Final = "refused"
"""The folder of refused takes: whoever opens, counts or copies the files beside it meets only good ones."""
REMEMBERED_BATCHES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where one object goes."""

    store: ArtifactStore
    key: str

    def refused_key(self, attempt: int, extension: str) -> str:
        """Where a take is kept that was refused: in a folder beside the job's audio, in which no job has its own."""
        folder, slash, file = self.key.rpartition("/")
        name = file.removesuffix(f".{EXTENSION}")
        return checked_key(f"{folder}{slash}{REFUSED}/{name}.{attempt}.{extension}")


@dataclass(slots=True)
class Places:
    """Finds a job's place; opens each store once a process."""

    database: Database
    default_url: str
    connections: int
    _stores: dict[str, ArtifactStore] = field(default_factory=dict)
    _outputs: dict[UUID, str | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, claim: Claim) -> Place:
        """The place of this job's audio."""
        output = self._output(claim.batch_id)
        key = object_key(
            SHARED_TEMPLATE if output is None else FLAT_TEMPLATE,
            tenant=claim.tenant,
            batch=None if claim.batch_id is None else str(claim.batch_id),
            name=claim.custom_id or str(claim.job_id),
            ext=EXTENSION,
        )
        return Place(self.store(output or self.default_url), key)

    def store(self, url: str) -> ArtifactStore:
        """The store at this address."""
        with self._lock:
            if url not in self._stores:
                self._stores[url] = open_store(url, connections=self.connections)
            return self._stores[url]

    def opened(self) -> list[ArtifactStore]:
        """Every store in use; the settings' own first of all."""
        self.store(self.default_url)
        with self._lock:
            return list(self._stores.values())

    def _output(self, batch_id: UUID | None) -> str | None:
        if batch_id is None:
            return None
        if batch_id not in self._outputs:
            with self.database.read() as connection:
                batch = batches.by_id(connection, batch_id)
            if len(self._outputs) >= REMEMBERED_BATCHES:
                self._outputs.clear()
            self._outputs[batch_id] = None if batch is None else batch.output_url
        return self._outputs[batch_id]
