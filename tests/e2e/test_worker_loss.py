"""Workers that die or are asked to leave in the middle of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.cluster import Cluster
from tests.cluster.processes import WorkerProcess
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig

RESCUE_WITHIN = timedelta(seconds=15)
LINES = [f"Carriage number {number} is for sleeping." for number in range(1, 61)]
SHAPE = Shape(slots=5, latency_seconds=0.5, emulator=EmulatorConfig(audio_bytes=24_044))


def test_a_killed_worker_loses_nothing(start_cluster: StartCluster) -> None:
    """kill -9 of a worker that doesn't lead: all lines succeed; only its jobs may be paid twice."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)
    leader = cluster.wait_for_leader()
    victim = next(worker for worker in cluster.workers if worker is not leader)
    _wait_until_busy(cluster, victim)

    killed_at = cluster.kill(victim)
    counts = cluster.wait_until_done(batch)

    lost = [ended for ended in cluster.seen.attempts(batch) if ended.verdict == VerdictKind.LOST]
    rescued_after = max(ended.finished_at for ended in lost) - killed_at
    print(f"rescued {len(lost)} jobs {rescued_after.total_seconds():.1f} s after the kill")
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert {ended.worker_id for ended in lost} == {cluster.seen.worker_id(victim.pid)}
    assert all(ended.possibly_billed for ended in lost)
    assert rescued_after < RESCUE_WITHIN
    assert cluster.seen.billed_twice() <= cluster.seen.texts_of(lost)


def test_another_dispatcher_takes_over(start_cluster: StartCluster) -> None:
    """kill -9 of the leader: another worker leads soon, and the run continues before the dead one is rescued."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)
    first = cluster.wait_for_leader()
    second = next(worker for worker in cluster.workers if worker is not first)
    _wait_until_busy(cluster, first)

    killed_at = cluster.kill(first)
    wait_for(lambda: cluster.leader() is second, seconds=30, what="the second worker leads")
    counts = cluster.wait_until_done(batch)

    attempts = cluster.seen.attempts(batch)
    next_start = min(ended.started_at for ended in attempts if ended.started_at > killed_at + timedelta(seconds=1))
    lost = [ended for ended in attempts if ended.verdict == VerdictKind.LOST]
    rescued_after = max(ended.finished_at for ended in lost) - killed_at
    print(f"went on {(next_start - killed_at).total_seconds():.1f} s after the kill, rescued after {rescued_after}")
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert rescued_after < RESCUE_WITHIN
    assert cluster.seen.billed_twice() <= cluster.seen.texts_of(lost)


def test_a_worker_that_is_asked_to_leave_finishes_what_it_began(start_cluster: StartCluster) -> None:
    """SIGTERM: calls in flight are recorded, the exit status is 0, the others go on, and nothing is paid twice."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)
    leaver = cluster.wait_for_leader()
    _wait_until_busy(cluster, leaver)

    asked_at = datetime.now(UTC)
    status = cluster.terminate(leaver)

    assert status == 0, leaver.log
    assert cluster.seen.running_on(leaver.pid) == set()
    assert leaver.spooled() == []
    counts = cluster.wait_until_done(batch)
    attempts = cluster.seen.attempts(batch)
    starts = sorted(ended.started_at for ended in attempts if ended.started_at > asked_at)
    pause = max(later - earlier for earlier, later in pairwise([asked_at, *starts]))
    print(f"the longest pause between two starts was {pause.total_seconds():.1f} s")
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert all(ended.verdict == VerdictKind.SUCCESS or ended.never_called for ended in attempts)
    assert cluster.emulator.state.calls == len(LINES)
    assert cluster.seen.billed_twice() == set()


def test_a_worker_that_leaves_while_the_database_is_away_wastes_nothing(start_cluster: StartCluster) -> None:
    """Audio that it bought and could not record is found by those who take its jobs over: nothing is paid twice."""
    cluster = start_cluster(SHAPE)
    postgres = cluster.services.postgres
    assert postgres is not None
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)

    _wait_until_busy(cluster, cluster.workers[0])
    postgres.kill()
    status = cluster.terminate(cluster.workers[0])
    postgres.restart()
    counts = cluster.wait_until_done(batch)

    attempts = cluster.seen.attempts(batch)
    lost = [ended for ended in attempts if ended.verdict == VerdictKind.LOST]
    print(f"left with {len(lost)} jobs in hand")
    assert status == 0, cluster.workers[0].log
    assert lost, "everything had been recorded, so this shows nothing"
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert cluster.seen.billed_twice() == set()
    assert counts.cost == cluster.emulator.state.billed


def _wait_until_busy(cluster: Cluster, worker: WorkerProcess) -> None:
    """Return while most of a worker's slots are taken: what is done to it then meets calls in flight."""
    wait_for(
        lambda: len(cluster.seen.running_on(worker.pid)) > SHAPE.slots // 2, seconds=20, what=f"{worker.name} busy"
    )
