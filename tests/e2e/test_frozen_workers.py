"""Workers that share a spool, as in docker-compose, and are suspended for longer than they may be silent.

The others take a suspended worker for dead; it wakes up in the midst of calls that are no longer its own.
"""

from __future__ import annotations

import signal

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.cluster import Cluster
from tests.cluster.processes import WorkerProcess
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster

LINES = [f"Cabin number {number} has a view of the sea." for number in range(1, 61)]
SLOTS = 12
SHARED = "shared-spool"
STUMBLES = ("No such file", "attempt_crashed", "Traceback")


def shared_cluster(start_cluster: StartCluster, api: str) -> Cluster:
    """Two workers with one spool between them."""
    cluster = start_cluster(Shape(workers=0, slots=SLOTS, latency_seconds=1.0, settings={"SEGMIND_API": api}))
    spool = cluster.home / SHARED
    spool.mkdir()
    for _ in range(2):
        cluster.add_worker(TTSQ_SPOOL_DIR=str(spool))
    return cluster


def freeze(cluster: Cluster, worker: WorkerProcess) -> None:
    """Suspend a worker amid its calls."""
    wait_for(lambda: len(cluster.seen.running_on(worker.pid)) > SLOTS // 2, seconds=20, what="a busy worker")
    worker.send(signal.SIGSTOP)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_worker_that_was_given_up_wakes_up_and_harms_nothing(api: str, start_cluster: StartCluster) -> None:
    """Every line is spoken, and nothing is bought twice but calls whose outcome is unknowable.

    With v2 these are submissions whose answer the frozen worker could not record. The ledger must say so of each.
    """
    cluster = shared_cluster(start_cluster, api)
    batch = cluster.submit(LINES)
    frozen, other = cluster.workers
    freeze(cluster, frozen)
    counts = cluster.wait_until_done(batch, timeout=90)
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}, cluster.report(batch)
    lost = [ended for ended in cluster.seen.attempts(batch) if ended.verdict == VerdictKind.LOST]
    assert lost, "the worker wasn't given up, so this shows nothing"

    frozen.send(signal.SIGCONT)
    again = cluster.submit([f"{line} Again." for line in LINES])
    assert cluster.wait_until_done(again).by_status == {JobStatus.SUCCEEDED: len(LINES)}, cluster.report(again)
    wait_for(lambda: not cluster.seen.running_on(frozen.pid), seconds=30, what="the late attempts' ends")

    assert cluster.counts(batch).by_status == {JobStatus.SUCCEEDED: len(LINES)}
    unknowable = [ended for ended in lost if ended.possibly_billed]
    assert cluster.seen.billed_twice() <= cluster.seen.texts_of(unknowable)
    for worker in (frozen, other):
        assert worker.alive
        assert [word for word in STUMBLES if word in worker.log] == [], worker.log


def test_the_only_worker_wakes_up_and_continues(start_cluster: StartCluster) -> None:
    """Both are suspended, one after the other has been given up: no third worker does their work."""
    cluster = shared_cluster(start_cluster, "v2")
    batch = cluster.submit(LINES)
    first, second = cluster.workers
    freeze(cluster, first)
    wait_for(lambda: not cluster.seen.running_on(first.pid), seconds=60, what="the first one given up")
    second.send(signal.SIGSTOP)
    first.send(signal.SIGCONT)
    counts = cluster.wait_until_done(batch, timeout=90)
    second.send(signal.SIGCONT)
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}, cluster.report(batch)
    assert cluster.seen.billed_twice() == set()
    for worker in cluster.workers:
        assert [word for word in STUMBLES if word in worker.log] == [], worker.log
