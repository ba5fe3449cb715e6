"""The table that all peers keep, made and read from outside, and the environment that leads a peer to its servers."""

from __future__ import annotations

from contextlib import closing

from sqlalchemy import text

from api_models.registry import DEFAULT_MODEL
from benchmarks.contender import Books
from benchmarks.harness import Scene, environment
from worker.store.database import Database

TABLE = (
    "CREATE TABLE speeches (id integer PRIMARY KEY, text text NOT NULL, status varchar(16) NOT NULL,"
    " created_at timestamptz NOT NULL, started_at timestamptz, finished_at timestamptz, key text, cost numeric(18, 9))"
)
DONE = (
    "SELECT count(*), coalesce(extract(epoch FROM max(finished_at) - (SELECT min(created_at) FROM speeches)), 0)"
    " FROM speeches WHERE status = 'done'"
)


def prepare(scene: Scene) -> None:
    """Make the table. The peers' own modules can't be imported here: they read their environment as they are."""
    with closing(Database(scene.place.database_url, connections=2)) as database, database.begin() as connection:
        connection.execute(text(TABLE))


def whereabouts(scene: Scene, slots: int) -> dict[str, str]:
    """Where everything is; `slots` in each process."""
    return environment(
        **scene.bucket.environment(),
        PEER_CONCURRENCY=str(slots),
        PEER_BROKER_URL=scene.place.broker_url,
        PEER_DATABASE_URL=scene.place.database_url,
        PEER_API_URL=f"{scene.emulator.base_url}/v1/{DEFAULT_MODEL}",
        PEER_API_KEY=scene.emulator.key,
        PEER_BUCKET=scene.bucket.name,
    )


def read(scene: Scene) -> Books:
    """What the rows say."""
    with closing(Database(scene.place.database_url, connections=2)) as database, database.read() as connection:
        done, seconds = connection.execute(text(DONE)).one()
        return Books(int(done), float(seconds))
