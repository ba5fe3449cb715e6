"""Services that fail in the middle of a run: Redis, PostgreSQL, the bucket. The run ends as if nothing had been."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID

from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape, StoreKind
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from tests.servers.s3 import Bucket
from worker.emulator.config import EmulatorConfig

LINES = [f"Coach {number} waits at the upper gate." for number in range(1, 61)]
SHAPE = Shape(
    slots=5,
    latency_seconds=0.4,
    emulator=EmulatorConfig(audio_bytes=24_044),
    settings={"TTSQ_PROBE_SECONDS": "0.5"},
)


def test_redis_may_forget_everything_and_die(start_cluster: StartCluster) -> None:
    """FLUSHALL, then kill -9 and a restart of Redis: every line succeeds, and none is paid twice."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)

    cluster.wait_until_succeeded(batch, 10)
    cluster.services.valkey.flush()
    cluster.wait_until_succeeded(batch, 20)
    cluster.services.valkey.kill()
    cluster.services.valkey.restart()
    back_at = datetime.now(UTC)
    cluster.wait_until_done(batch)

    _tell(cluster, batch, "Redis", back_at)
    assert all(worker.alive for worker in cluster.workers)
    _assert_all_spoken_and_paid_once(cluster, batch)


def test_postgresql_may_crash(start_cluster: StartCluster) -> None:
    """kill -9 and a restart of PostgreSQL: calls in flight are recorded once it is back, and none is paid twice."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)

    cluster.wait_until_succeeded(batch, 10)
    assert cluster.services.postgres is not None
    cluster.services.postgres.kill()
    wait_for(
        lambda: cluster.emulator.state.in_flight == 0, seconds=20, what="all calls in flight answered with no database"
    )
    cluster.services.postgres.restart()
    back_at = datetime.now(UTC)
    cluster.wait_until_done(batch)

    _tell(cluster, batch, "PostgreSQL", back_at)
    _assert_all_spoken_and_paid_once(cluster, batch)


def test_the_bucket_may_vanish(start_cluster: StartCluster) -> None:
    """With the bucket gone nothing more is bought and the hold names it; once it is made again all is stored."""
    cluster = start_cluster(Shape(slots=5, latency_seconds=1.0, store=StoreKind.SWIFT, settings=SHAPE.settings))
    bucket = cluster.place.bucket
    assert bucket is not None
    batch = cluster.submit(LINES[:20])

    wait_for(lambda: cluster.emulator.state.in_flight == 10, seconds=20, what="all slots busy")
    _delete(bucket)
    hold = wait_for(lambda: next(iter(cluster.seen.holds()), None), seconds=20, what="a hold")
    paid_by_then = cluster.emulator.state.calls
    bucket.server.create_bucket(bucket.name)
    back_at = datetime.now(UTC)
    cluster.wait_until_done(batch)

    _tell(cluster, batch, "the bucket", back_at)
    assert (hold.name, hold.code) == ("storage", "no_such_bucket")
    assert bucket.name in hold.message
    assert paid_by_then == 10, "more was bought than could be stored"
    _assert_all_spoken_and_paid_once(cluster, batch)
    assert len(cluster.seen.keys()) == 20


def _delete(bucket: Bucket) -> None:
    with closing(bucket.client()) as client:
        client.delete_bucket(Bucket=bucket.name)


def _assert_all_spoken_and_paid_once(cluster: Cluster, batch: UUID) -> None:
    counts, bill = cluster.counts(batch), cluster.emulator.state
    assert counts.by_status == {JobStatus.SUCCEEDED: counts.total}
    assert cluster.seen.billed_twice() == set()
    assert counts.cost == bill.billed
    assert [worker.spooled() for worker in cluster.workers] == [[], []]


def _tell(cluster: Cluster, batch: UUID, what: str, back_at: datetime) -> None:
    """Print how long it took until calls resumed."""
    starts = [ended.started_at for ended in cluster.seen.attempts(batch) if ended.started_at > back_at]
    ends = [ended.finished_at for ended in cluster.seen.attempts(batch) if ended.finished_at > back_at]
    first_start = (min(starts) - back_at).total_seconds() if starts else None
    print(f"{what} back: first record after {(min(ends) - back_at).total_seconds():.1f} s, first start {first_start} s")
