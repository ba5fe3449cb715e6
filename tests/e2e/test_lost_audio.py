"""Audio that was bought and is gone: however many jobs want it again, on however many workers, it is bought once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from api_models.speech import JobRequest
from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig
from worker.intake.validation import Row

SHAPE = Shape(workers=2, slots=20, latency_seconds=0.3, emulator=EmulatorConfig(audio_bytes=4_844))
TEXT = "All aboard."
WANTED = 10
SECONDS = 120.0


def delete_by_hand(cluster: Cluster, _: str) -> None:
    """Empty the bucket behind the database's back."""
    bucket = cluster.place.bucket
    assert bucket is not None
    with closing(bucket.client()) as client:
        for key in cluster.seen.all_keys():
            client.delete_object(Bucket=bucket.name, Key=key)


def purge(cluster: Cluster, job: str) -> None:
    """As an operator does."""
    done = cluster.ttsq("jobs", "delete", job)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("lose", [purge, delete_by_hand])
def test_ten_jobs_buy_lost_audio_once(start_cluster: StartCluster, lose: Callable[[Cluster, str], None]) -> None:
    """One is elected, the others copy what it bought."""
    cluster = start_cluster(SHAPE)
    first = cluster.submit([TEXT])
    cluster.wait_until_done(first, SECONDS)
    [job] = cluster.seen.jobs(first)
    lose(cluster, str(job.id))

    rows = [Row(number, JobRequest(text=TEXT, custom_id=f"{number}")) for number in range(1, WANTED + 1)]
    again = cluster.submit(rows, name="again")
    counts = cluster.wait_until_done(again, SECONDS)

    print(f"{WANTED} jobs, {cluster.emulator.state.calls - 1} calls")
    assert counts.of(JobStatus.SUCCEEDED) == WANTED
    assert cluster.emulator.state.calls == 2
    assert sum(job.cached for job in cluster.seen.jobs(again)) == WANTED - 1
