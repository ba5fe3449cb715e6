"""This project as a contender: `celery -A worker.app worker`, and a producer that hands in one batch."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import func, select

from api_models.status import JobStatus
from benchmarks.stage import Scene, environment
from worker.store import schema
from worker.store.database import Database
from worker.store.tables import Job


@dataclass(frozen=True, slots=True)
class Ours:
    """Set up by its settings alone; all that aren't named here keep their defaults."""

    name: str = "ours"
    ready: str = "worker_started"

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
            TTSQ_CONCURRENCY=str(slots),
            TTSQ_TAKE_CHECKS="off",  # the emulator's audio has a fixed size here, which fits no text
        )

    def worker(self, slots: int) -> list[str]:  # noqa: ARG002 - they come from the environment
        """Celery's own command."""
        return [sys.executable, "-m", "celery", "-A", "worker.app", "worker"]

    def submit(self, jobs: int) -> list[str]:
        """A producer in Python."""
        return [sys.executable, "-m", "benchmarks.handing_in", str(jobs)]

    def done(self, scene: Scene) -> int:
        """Jobs recorded as succeeded."""
        with closing(Database(scene.place.database_url, connections=2)) as database, database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(Job).where(Job.status == JobStatus.SUCCEEDED)
            ).scalar_one()
