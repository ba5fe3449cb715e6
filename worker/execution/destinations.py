"""Chooses the store and key of a job's audio: those of its batch, its tenant or the settings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from api_models.key_templates import FLAT_TEMPLATE, SHARED_TEMPLATE, names_cells
from worker.artifacts.addresses import public_address
from worker.artifacts.factory import open_store
from worker.artifacts.keys import NO_BATCH, NO_CELLS, batch_prefix, beside, cells_of, checked_key, object_key
from worker.artifacts.options import NO_OPTIONS, StoreOptions
from worker.artifacts.store import ArtifactStore
from worker.concurrency.reactor import Reactor
from worker.store import outputs
from worker.store.database import Database
from worker.store.transitions.claims import Claim

REFUSED: Final = "refused"
"""The folder of refused takes, so that the files next to it are all good."""
PARTS: Final = ".parts"
"""The hidden folder of documents' parts, so that the files next to it are recordings."""
REMEMBERED: Final = 10_000
PRESIGN_SECONDS: Final = 300
"""Lifetime of a presigned URL."""
TENANT_SECONDS: Final = 10.0
"""Cache lifetime of a tenant's store, which may change; a batch's never does."""


@dataclass(frozen=True, slots=True)
class Destination:
    store: ArtifactStore
    key: str

    def names(self, job_id: UUID) -> tuple[str, ...]:
        """The job's key, and its alternatives if a foreign file occupies it."""
        return self.key, beside(self.key, str(job_id)), f"{job_id}.{self.key.rpartition('.')[2]}"

    def refused_key(self, attempt: int, extension: str) -> str:
        """A key for a refused take, in a folder that contains no job's audio."""
        folder, stem = self.refused_stem
        return checked_key(f"{folder}/{stem}{attempt}.{extension}")

    @property
    def refused_stem(self) -> tuple[str, str]:
        """The folder of the job's refused takes, and what their names begin with."""
        folder, slash, file = self.key.rpartition("/")
        return f"{folder}{slash}{REFUSED}", f"{file.rpartition('.')[0]}."


class _Seen(NamedTuple):
    """A tenant's store URL and the monotonic time until which it is cached."""

    url: str | None
    until: float


@dataclass(slots=True)
class Destinations:
    """Resolves a job's destination. Opens each store once per process."""

    database: Database
    default_url: str
    connections: int
    template: str = SHARED_TEMPLATE
    """Key template of batches without their own."""
    options: StoreOptions = NO_OPTIONS
    public_url: str | None = None
    """Base URL at which objects of the default store are publicly readable."""
    presign_seconds: int = PRESIGN_SECONDS
    reactor: Reactor | None = None
    clock: Callable[[], float] = time.monotonic
    _stores: dict[str, ArtifactStore] = field(default_factory=dict)
    _batches: dict[UUID, outputs.Output] = field(default_factory=dict)
    _tenants: dict[str, _Seen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def for_claim(self, claim: Claim) -> Destination:
        output = self._of_batch(claim.batch_id)
        if claim.parent is not None:
            return self._for_part(claim, claim.parent, output.url)
        template = self._template(output)
        key = object_key(
            template,
            tenant=claim.tenant,
            batch=None if claim.batch_id is None else str(claim.batch_id),
            custom_id=claim.custom_id,
            job=str(claim.job_id),
            model=claim.speech.model,
            ext=claim.audio_format.extension,
            line=claim.line,
            cells=_cells(claim) if names_cells(template) else NO_CELLS,
        )
        return Destination(self.store(output.url or self._of_tenant(claim.tenant) or self.default_url), key)

    def _for_part(self, claim: Claim, document: UUID, url: str | None) -> Destination:
        key = f"{PARTS}/{document}/{claim.job_id}.{claim.audio_format.extension}"
        if url is not None:
            return Destination(self.store(url), key)
        tenant = batch_prefix("{tenant}/{id}", tenant=claim.tenant, batch=NO_BATCH)
        return Destination(self.store(self._of_tenant(claim.tenant) or self.default_url), tenant + key)

    def names_jobs(self, batch_id: UUID) -> bool:
        return "{id}" in self._template(self._of_batch(batch_id))

    def containing(self, uri: str, *, tenant: str, batch_id: UUID | None) -> Destination | None:
        """The destination that contains the object of a job's row; None if the job has no access to it.

        A URI alone grants nothing: it must lie in the store of the job's batch, its tenant or the settings.
        """
        for url in (self._of_batch(batch_id).url, self._of_tenant(tenant), self.default_url):
            if url is not None and (key := self.store(url).key_of(uri)) is not None:
                return Destination(self.store(url), key)
        return None

    def address(self, destination: Destination, *, name: str | None = None) -> str | None:
        """A URL for direct download, saved as `name`; None if the store has none."""
        if self.public_url is not None and destination.store.url == self.store(self.default_url).url:
            return public_address(self.public_url, destination.key)
        return destination.store.link(destination.key, seconds=self.presign_seconds, name=name)

    def store_of(self, *, tenant: str, batch_id: UUID) -> ArtifactStore:
        return self.store(self._of_batch(batch_id).url or self._of_tenant(tenant) or self.default_url)

    def store(self, url: str) -> ArtifactStore:
        with self._lock:
            if url not in self._stores:
                self._stores[url] = open_store(
                    url, connections=self.connections, options=self.options, reactor=self.reactor
                )
            return self._stores[url]

    def opened(self) -> list[ArtifactStore]:
        self.store(self.default_url)
        with self._lock:
            return list(self._stores.values())

    def _template(self, output: outputs.Output) -> str:
        return output.key_template or (self.template if output.url is None else FLAT_TEMPLATE)

    def _of_batch(self, batch_id: UUID | None) -> outputs.Output:
        if batch_id is None:
            return outputs.NONE
        if batch_id not in self._batches:
            with self.database.read() as connection:
                found = outputs.of_batch(connection, batch_id)
            if len(self._batches) >= REMEMBERED:
                self._batches.clear()
            self._batches[batch_id] = found
        return self._batches[batch_id]

    def _of_tenant(self, tenant: str) -> str | None:
        seen = self._tenants.get(tenant)
        if seen is None or seen.until < self.clock():
            with self.database.read() as connection:
                seen = _Seen(outputs.of_tenant(connection, tenant), self.clock() + TENANT_SECONDS)
            if len(self._tenants) >= REMEMBERED:
                self._tenants.clear()
            self._tenants[tenant] = seen
        return seen.url


def _cells(claim: Claim) -> dict[str, str | None]:
    speech = claim.speech
    return cells_of(speech.text, speech.voice_1, speech.voice_2, claim.extra)
