"""Everything that the attempts of a worker share."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from threading import Event

from worker.audio.gate import GateLimits
from worker.execution.batched_queries import BatchedQueries
from worker.execution.content_origin import ContentOrigin
from worker.execution.database_retry import DatabaseRetry
from worker.execution.destinations import Destinations
from worker.execution.heartbeat import Heartbeat
from worker.execution.settlements import AttemptLimits
from worker.execution.spool import Spool
from worker.execution.thread_pools import Pools
from worker.execution.upload import StoreRetry
from worker.segmind.client import Client
from worker.store.database import Database


@dataclass(frozen=True, slots=True)
class AttemptContext:
    database: Database
    client: Client
    destinations: Destinations
    spool: Spool
    heartbeat: Heartbeat
    attempt_limits: AttemptLimits
    limits: GateLimits | None
    """None if only container and frames are checked."""
    queries: BatchedQueries
    database_retry: DatabaseRetry
    store_retry: StoreRetry
    rng: random.Random
    pools: Pools
    origin: ContentOrigin
    succeeded: Event = field(default_factory=Event)
    """Set once a call of this process has returned audio: the API's address is right."""
