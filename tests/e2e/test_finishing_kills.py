"""Workers killed while they write the result files of a batch."""

from __future__ import annotations

import csv
import io
import json
import signal
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import select

from api_models.status import TERMINAL
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.store import batches
from worker.store.outbox import events
from worker.store.tables.jobs import Batch

JOBS: Final = 6_000
KILLS: Final = 3


def test_a_batch_is_finished_once_despite_kills(start_cluster: StartCluster, tmp_path: Path) -> None:
    """Both workers are killed (SIGKILL) in the middle of the files, thrice: one set of files, one event, all true."""
    cluster = start_cluster(Shape(latency_seconds=0.1, settings={"TMPDIR": str(tmp_path)}))
    batch = cluster.submit([f"Sentence number {number}." for number in range(JOBS)])
    with cluster.database.begin() as connection:
        batches.announce(connection, batch, callback_url=None)
    cluster.wait_until_succeeded(batch, 5)
    assert cluster.ttsq("jobs", "cancel", "--batch", str(batch)).returncode == 0

    seen: set[Path] = set()
    for _ in range(KILLS):
        seen = _wait_for_a_writer(tmp_path, seen)
        _replace(cluster)
    wait_for(lambda: _finished(cluster), seconds=60, what="the batch finished", instead=lambda: cluster.report(batch))

    counts = cluster.counts(batch)
    assert counts.of(*TERMINAL) == JOBS
    folder = f"audio/default/{batch}/"
    files = {key.removeprefix(folder) for key in cluster.seen.all_keys() if not key.endswith(".wav")}
    assert files == {"results.jsonl", "errors.jsonl", "manifest.csv"}
    jobs = {str(job.id): job for job in cluster.seen.jobs(batch)}
    rows = list(csv.DictReader(io.StringIO(_read(cluster, f"{folder}manifest.csv"))))
    assert [row["id"] for row in rows] == list(jobs)
    spoken = [json.loads(line) for line in _read(cluster, f"{folder}results.jsonl").splitlines()]
    assert {line["id"]: line["audio"]["sha256"] for line in spoken} == {
        name: job.sha256 for name, job in jobs.items() if job.status == "succeeded"
    }
    assert len(spoken) + len(_read(cluster, f"{folder}errors.jsonl").splitlines()) == JOBS
    with cluster.database.read() as connection:
        told = events.after(connection, 0, most=10, types=["batch.finished"])
    assert [event.subject for event in told] == [str(batch)]


def _wait_for_a_writer(folder: Path, seen: set[Path]) -> set[Path]:
    """Return when a new writer has started; files left by killed writers are in `seen`."""

    def look() -> set[Path] | None:
        found = set(folder.glob("ttsq-results-*/manifest.csv"))
        return found if found - seen else None

    return wait_for(look, seconds=60, what="a writer at work")


def _replace(cluster: Cluster) -> None:
    alive = [worker for worker in cluster.workers if worker.alive]
    for worker in alive:
        worker.send(signal.SIGKILL)
    for worker in alive:
        worker.wait()
    assert not _finished(cluster), "they were done before they were killed, so this shows nothing"
    for worker in [cluster.launch_worker() for _ in alive]:
        worker.await_ready()


def _finished(cluster: Cluster) -> bool:
    with cluster.database.read() as connection:
        return connection.execute(select(Batch.finished_at)).scalar_one() is not None


def _read(cluster: Cluster, key: str) -> str:
    bucket = cluster.place.bucket
    assert bucket is not None
    with closing(bucket.client()) as client:
        return client.get_object(Bucket=bucket.name, Key=key)["Body"].read().decode()
