"""What all attempts of a worker share."""

from __future__ import annotations

import random
from dataclasses import dataclass

from worker.audio.gate import GateLimits
from worker.execution.asked import Asked
from worker.execution.content_origin import ContentOrigin
from worker.execution.crews import Crews
from worker.execution.heartbeat import Heartbeat
from worker.execution.insisting import Insistence
from worker.execution.outcomes import Bounds
from worker.execution.places import Places
from worker.execution.spool import Spool
from worker.execution.storing import Persistence
from worker.segmind.client import Client
from worker.store.database import Database


@dataclass(frozen=True, slots=True)
class Tools:
    """One for a worker."""

    database: Database
    client: Client
    places: Places
    spool: Spool
    heartbeat: Heartbeat
    bounds: Bounds
    limits: GateLimits | None
    """Where a good take ends; None where only container and frames are looked at."""
    asked: Asked
    insistence: Insistence
    persistence: Persistence
    rng: random.Random
    crews: Crews
    origin: ContentOrigin
