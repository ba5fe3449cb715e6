"""Everything that the attempts of a worker share."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from threading import Event

from worker.audio.gate import GateLimits
from worker.concurrency.stop_event import StopEvent
from worker.execution.aligner import Aligner
from worker.execution.batched_queries import BatchedQueries
from worker.execution.content_origin import ContentOrigin
from worker.execution.database_retry import DatabaseRetry
from worker.execution.destinations import Destinations
from worker.execution.heartbeat import Heartbeat
from worker.execution.opinions import Listens
from worker.execution.settlements import AttemptLimits
from worker.execution.spool import Spool
from worker.execution.thread_pools import Pools
from worker.execution.upload import StoreRetry
from worker.segmind.client import Client
from worker.store.database import Database


@dataclass(slots=True)
class AttemptContext:
    """Built once per worker. What can be made of its parts is made here."""

    database: Database
    client: Client
    destinations: Destinations
    spool: Spool
    heartbeat: Heartbeat
    attempt_limits: AttemptLimits
    limits: GateLimits | None
    """None if only container and frames are checked."""
    probe_seconds: float
    stopping: StopEvent
    pools: Pools
    origin: ContentOrigin
    """The API that audio is bought from."""
    aligner: Aligner = field(default_factory=lambda: Aligner(dict))
    """Finds when words are heard."""
    listener: Listens | None = None
    """None if takes aren't listened to."""
    provenance: bool = False
    """Whether the provenance of every job's audio is stored, also of jobs that don't ask for it."""
    rng: random.Random = field(default_factory=random.Random)
    succeeded: Event = field(default_factory=Event)
    """Set once a call of this process has returned audio: the API's address is right."""
    queries: BatchedQueries = field(init=False)
    database_retry: DatabaseRetry = field(init=False)
    store_retry: StoreRetry = field(init=False)

    def __post_init__(self) -> None:
        self.queries = BatchedQueries(self.database, self.heartbeat, self.pools.database.add)
        self.database_retry = DatabaseRetry(self.heartbeat, self.stopping)
        self.store_retry = StoreRetry(self.database, self.stopping, self.probe_seconds)
