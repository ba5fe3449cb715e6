"""This project as a contender: `celery -A worker.app worker`, and a producer that submits one batch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from api_models.status import JobStatus
from benchmarks.contender import Books, Program
from benchmarks.harness import Scene, environment
from worker.store import schema
from worker.store.database import Database
from worker.store.tables.jobs import Job

CELERY: Final = (sys.executable, "-m", "celery")
WORKER: Final = ("-A", "worker.app", "worker")
READY: Final = "worker_started"
OURS: Final = "ours"
"""As it stands in the tables."""


@dataclass(frozen=True, slots=True)
class Ours:
    """Set up by its settings alone; all that aren't named here keep their defaults."""

    rpm: str = "auto"
    """Value of `SEGMIND_RPM`; by default the workers find the rate limit."""
    through: tuple[str, ...] = CELERY
    """The program that its workers are; another one may watch them."""
    listens: bool = False
    """Whether takes are checked, as by default."""
    name: str = OURS

    def held(self, slots: int) -> int:
        """Every slot: the number of calls has no other limit."""
        return slots

    def prepare(self, scene: Scene) -> None:
        """Migrate."""
        with closing(Database(scene.place.database_url, connections=2)) as database:
            schema.upgrade(database)

    def environment(self, scene: Scene, slots: int) -> dict[str, str]:
        """Its settings."""
        return environment(
            **scene.place.environment(),
            SEGMIND_BASE_URL=scene.emulator.base_url,
            SEGMIND_API_KEY=scene.emulator.key,
            SEGMIND_RPM=self.rpm,
            TTSQ_CONCURRENCY=str(slots),
            # Audio of a fixed size fits no text.
            **({} if self.listens else {"TTSQ_TAKE_CHECKS": "off"}),
        )

    def crew(self, processes: int, slots: int) -> Sequence[Program]:  # noqa: ARG002 - they come from the environment
        """Celery's own command."""
        return [Program([*self.through, *WORKER], READY)] * processes

    def submit(self, jobs: int) -> list[str]:
        """A producer in Python."""
        return [sys.executable, "-m", "benchmarks.submitting", str(jobs)]

    def books(self, scene: Scene) -> Books:
        """Jobs recorded as succeeded."""
        is_done = Job.status == JobStatus.SUCCEEDED
        asked = select(func.count().filter(is_done), func.min(Job.created_at), func.max(Job.finished_at))
        with closing(Database(scene.place.database_url, connections=2)) as database, database.read() as connection:
            done, began, ended = connection.execute(asked).one()
            return Books(done, (ended - began).total_seconds() if ended else 0.0)
