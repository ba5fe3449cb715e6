"""A backup is restored while the bucket is as it is: nothing that the bucket holds is bought again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from api_models.status import JobStatus
from tests.cluster.backups import back_up, restore
from tests.cluster.cluster import Cluster
from tests.cluster.services import Services
from tests.cluster.shape import DatabaseKind, Shape
from tests.servers.moto import Moto
from tests.servers.postgres import Postgres
from tests.servers.valkey import Valkey
from worker.emulator.config import EmulatorConfig
from worker.store.outbox import endpoints
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.webhooks import EventRow

JOBS = 120
SECONDS = 180.0


@pytest.fixture(params=list(DatabaseKind), ids=str)
def cluster(request: pytest.FixtureRequest, valkey: Valkey, moto: Moto) -> Iterator[Cluster]:
    """Servers and an API without a worker, once on each database; an endpoint receives every job's end."""
    kind: DatabaseKind = request.param
    postgres: Postgres | None = None
    if kind is DatabaseKind.POSTGRESQL:
        postgres = request.getfixturevalue("postgres")
    shape = Shape(workers=0, slots=10, latency_seconds=0.1, database=kind, emulator=EmulatorConfig(audio_bytes=4_844))
    with ExitStack() as stack:
        made = stack.enter_context(Cluster(shape, Services(valkey, postgres, moto)))
        with made.database.begin() as connection:
            now = made.database.now(connection)
            endpoints.callbacks(connection, "default", fresh_secret="whsec_" + "a" * 32, now=now)
        yield made


def texts() -> list[str]:
    """Texts that differ."""
    return [f"Line {number} of the evening's news." for number in range(1, JOBS + 1)]


def event_ids(cluster: Cluster) -> list[int]:
    """The ids of all events, which receivers of webhooks tell events apart by."""
    with cluster.database.read() as connection:
        return list(connection.execute(select(EventRow.id).order_by(EventRow.id)).scalars())


def spent(cluster: Cluster) -> Any:  # noqa: ANN401 - an amount
    """What the ledger adds up to."""
    with cluster.database.read() as connection:
        return connection.execute(select(func.sum(Attempt.cost, type_=Attempt.cost.type))).scalar_one()


def unfinished(cluster: Cluster, batch: UUID) -> int:
    """Jobs of the restored database that had not ended."""
    counts = cluster.counts(batch)
    return counts.total - counts.of(JobStatus.SUCCEEDED)


def check(cluster: Cluster, *options: str) -> dict[str, Any]:
    """The command, and what it reports."""
    done = cluster.ttsq("restore-check", "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("under_load", [False, True], ids=["all queued", "under load"])
def test_what_the_bucket_holds_is_not_bought_again(cluster: Cluster, tmp_path: Path, *, under_load: bool) -> None:
    """The queue of the backup was spoken after it: each job gets its audio and cost back, and the ledger is whole."""
    file = tmp_path / "backup"
    batch = cluster.submit(texts())
    if not under_load:
        back_up(cluster, file)
    worker = cluster.add_worker()
    if under_load:
        cluster.wait_until_succeeded(batch, 10)
        back_up(cluster, file)
    cluster.wait_until_done(batch, SECONDS)
    cluster.terminate(worker)
    paid, used, billed = spent(cluster), set(event_ids(cluster)), cluster.emulator.state.calls
    assert billed == JOBS

    restore(cluster, file)
    left = unfinished(cluster, batch)
    known = set(event_ids(cluster))
    assert check(cluster, "--dry-run")["adopted"] == left
    assert unfinished(cluster, batch) == left
    first, again = check(cluster), check(cluster)
    assert (first["unfinished"], first["adopted"], first["marked"]) == (left, left, 0)
    assert (again["unfinished"], again["adopted"]) == (0, 0)
    cluster.add_worker()
    counts = cluster.wait_until_done(batch, SECONDS)

    print(f"{left} unfinished, {first['adopted']} adopted, {first['cost']} USD, events from {first['events']['next']}")
    assert counts.of(JobStatus.SUCCEEDED) == JOBS
    assert cluster.emulator.state.calls == billed
    assert spent(cluster) == paid
    assert not (set(event_ids(cluster)) - known) & used


def test_what_the_bucket_does_not_hold_is_flagged_and_spoken(cluster: Cluster, tmp_path: Path) -> None:
    """Half of the audio was lost with the restore: only that is bought, and the report counts it."""
    batch = cluster.submit(texts()[:20])
    back_up(cluster, tmp_path / "backup")
    worker = cluster.add_worker()
    cluster.wait_until_done(batch, SECONDS)
    cluster.terminate(worker)
    billed = cluster.emulator.state.calls
    bucket = cluster.place.bucket
    assert bucket is not None
    lost = cluster.seen.keys()[:10]
    client = bucket.client()
    for key in lost:
        client.delete_object(Bucket=bucket.name, Key=key)
    client.close()

    restore(cluster, tmp_path / "backup")
    found = check(cluster)
    assert (found["adopted"], found["marked"]) == (10, 10)
    with cluster.database.read() as connection:
        flagged = connection.execute(select(func.count()).select_from(Job).where(Job.recover)).scalar_one()
    assert flagged >= found["marked"]
    cluster.add_worker()
    cluster.wait_until_done(batch, SECONDS)
    assert cluster.emulator.state.calls == billed + len(lost)


def test_nothing_is_checked_while_a_worker_runs(cluster: Cluster) -> None:
    """It would claim the jobs that are being looked at."""
    cluster.add_worker()
    refused = cluster.ttsq("restore-check")
    assert refused.returncode == 2
    assert "1 worker running" in refused.stderr
    assert "stop all workers" in refused.stderr
    assert event_ids(cluster) == []
