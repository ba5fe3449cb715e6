"""Which store and key a job's audio belongs to: its batch's place, its tenant's, or that of the settings."""

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
from worker.artifacts.keys import NO_CELLS, beside, cells_of, checked_key, object_key
from worker.artifacts.options import NO_OPTIONS, StoreOptions
from worker.artifacts.store import ArtifactStore
from worker.concurrency.reactor import Reactor
from worker.store import outputs
from worker.store.database import Database
from worker.store.transitions.claims import Claim

REFUSED: Final = "refused"
"""The folder of refused takes: whoever opens, counts or copies the files beside it meets only good ones."""
REMEMBERED: Final = 10_000
PRESIGN_SECONDS: Final = 300
"""How long an address with a signature works."""
TENANT_SECONDS: Final = 10.0
"""A tenant's place may change; a batch's never does."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one object goes."""

    store: ArtifactStore
    key: str

    def names(self, job_id: UUID) -> tuple[str, ...]:
        """The job's key, and those that it gets where the user's own files stand in the way."""
        return self.key, beside(self.key, str(job_id)), f"{job_id}.{self.key.rpartition('.')[2]}"

    def refused_key(self, attempt: int, extension: str) -> str:
        """Where a take is kept that was refused: in a folder beside the job's audio, in which no job has its own."""
        folder, slash, file = self.key.rpartition("/")
        return checked_key(f"{folder}{slash}{REFUSED}/{file.rpartition('.')[0]}.{attempt}.{extension}")


class _Seen(NamedTuple):
    """What a tenant's place was, and until when that is taken for true."""

    url: str | None
    until: float


@dataclass(slots=True)
class Destinations:
    """Finds a job's place; opens each store once a process."""

    database: Database
    default_url: str
    connections: int
    template: str = SHARED_TEMPLATE
    """How objects are named whose batch says nothing else."""
    options: StoreOptions = NO_OPTIONS
    public_url: str | None = None
    """The address under which everybody can read what is in the default store."""
    presign_seconds: int = PRESIGN_SECONDS
    reactor: Reactor | None = None
    clock: Callable[[], float] = time.monotonic
    _stores: dict[str, ArtifactStore] = field(default_factory=dict)
    _batches: dict[UUID, outputs.Output] = field(default_factory=dict)
    _tenants: dict[str, _Seen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def for_claim(self, claim: Claim) -> Destination:
        """The place of this job's audio."""
        output = self._of_batch(claim.batch_id)
        template = output.key_template or (self.template if output.url is None else FLAT_TEMPLATE)
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

    def containing(self, uri: str, *, tenant: str, batch_id: UUID | None) -> Destination | None:
        """Where an object lies that a job's row names; None where that is no place of this job's.

        An address alone opens nothing: it must lie in the store of its batch, of its tenant, or of the settings.
        """
        for url in (self._of_batch(batch_id).url, self._of_tenant(tenant), self.default_url):
            if url is not None and (key := self.store(url).key_of(uri)) is not None:
                return Destination(self.store(url), key)
        return None

    def address(self, destination: Destination, *, name: str | None = None) -> str | None:
        """Where an object can be had without this program, saved under that name; None where it can't be."""
        if self.public_url is not None and destination.store.url == self.store(self.default_url).url:
            return public_address(self.public_url, destination.key)
        return destination.store.link(destination.key, seconds=self.presign_seconds, name=name)

    def store_of(self, *, tenant: str, batch_id: UUID) -> ArtifactStore:
        """The store that a batch's audio goes to."""
        return self.store(self._of_batch(batch_id).url or self._of_tenant(tenant) or self.default_url)

    def store(self, url: str) -> ArtifactStore:
        """The store at this address."""
        with self._lock:
            if url not in self._stores:
                self._stores[url] = open_store(
                    url, connections=self.connections, options=self.options, reactor=self.reactor
                )
            return self._stores[url]

    def opened(self) -> list[ArtifactStore]:
        """Every store in use; the settings' own first of all."""
        self.store(self.default_url)
        with self._lock:
            return list(self._stores.values())

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
