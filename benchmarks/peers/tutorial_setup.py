"""The tutorial pattern as a contender: its environment and its commands."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import text

from api_models.registry import DEFAULT_MODEL
from benchmarks.stage import Scene, environment
from worker.store.database import Database

MODULE = "benchmarks.peers.tutorial"
TABLE = (
    "CREATE TABLE speeches (id integer PRIMARY KEY, text text NOT NULL, status varchar(16) NOT NULL,"
    " started_at timestamptz, finished_at timestamptz, key text, cost numeric(18, 9))"
)


@dataclass(frozen=True, slots=True)
class Tutorial:
    """Celery as its "First steps" show it, in the pool that suits waiting."""

    pool: str = "threads"
    ready: str = " ready."

    @property
    def name(self) -> str:
        """As it stands in the tables."""
        return f"tutorial pattern ({self.pool})"

    def prepare(self, scene: Scene) -> None:
        """Make its table. Its own module can't be imported here: it reads its environment as it is imported."""
        with closing(Database(scene.place.database_url, connections=2)) as database, database.begin() as connection:
            connection.execute(text(TABLE))

    def environment(self, scene: Scene, slots: int) -> dict[str, str]:
        """Where everything is."""
        return environment(
            **scene.bucket.environment(),
            TUTORIAL_CONCURRENCY=str(slots),
            TUTORIAL_BROKER_URL=scene.place.broker_url,
            TUTORIAL_DATABASE_URL=scene.place.database_url,
            TUTORIAL_API_URL=f"{scene.emulator.base_url}/v1/{DEFAULT_MODEL}",
            TUTORIAL_API_KEY=scene.emulator.key,
            TUTORIAL_BUCKET=scene.bucket.name,
        )

    def worker(self, slots: int) -> list[str]:
        """The command that Celery's documentation gives."""
        options = ["--pool", self.pool, "--concurrency", str(slots), "--loglevel", "INFO"]
        return [sys.executable, "-m", "celery", "-A", MODULE, "worker", *options]

    def submit(self, jobs: int) -> list[str]:
        """`.delay()`, once a job. As a module of that name, not as `__main__`, so that the task's name is right."""
        return [sys.executable, "-c", f"from {MODULE} import submit; submit({jobs})"]

    def done(self, scene: Scene) -> int:
        """Rows that say so."""
        with closing(Database(scene.place.database_url, connections=2)) as database, database.read() as connection:
            found: int = connection.execute(text("SELECT count(*) FROM speeches WHERE status = 'done'")).scalar_one()
            return found
