"""Redis behind a Sentinel: the workers follow it to a new primary."""

from __future__ import annotations

from api_models.status import JobStatus
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from tests.servers.sentinel import watched

TEXTS = 60
SECONDS = 60.0


def test_a_run_outlives_its_primary(start_cluster: StartCluster) -> None:
    """The primary is killed in mid-run; all texts are spoken within a minute, each bought once."""
    with watched() as redis:
        cluster = start_cluster(Shape(workers=2, slots=4, latency_seconds=0.5, settings={"TTSQ_BROKER_URL": redis.url}))
        wait_for(redis.knows_replica, seconds=SECONDS, what="the replica in step")
        batch = cluster.submit([f"This is line {number} of sixty." for number in range(TEXTS)])
        cluster.wait_until_succeeded(batch, 12)
        redis.primary.kill()
        counts = cluster.wait_until_done(batch, timeout=SECONDS)
    assert counts.of(JobStatus.SUCCEEDED) == TEXTS, cluster.report(batch)
    assert cluster.emulator.state.calls == TEXTS
    assert all(worker.alive for worker in cluster.workers)
