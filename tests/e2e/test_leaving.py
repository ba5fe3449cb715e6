"""Workers that are asked to leave, once or twice, in the middle of their calls; and all of them replaced under load."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.cluster.sight import Ended
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig
from worker.emulator.latency import Latency
from worker.store import workers

LINES = [f"Cabin number {number} has a view of the sea." for number in range(1, 41)]
SMALL = EmulatorConfig(audio_bytes=24_044)
ENDLESS_SECONDS = 600.0
STANDSTILL = timedelta(seconds=5)
"""A window without a single start is one in which the queue stood still."""


def test_every_call_in_flight_is_recorded(start_cluster: StartCluster) -> None:
    """SIGTERM with all slots busy: what is in flight succeeds, nothing more begins, and the rest stays for others."""
    cluster = start_cluster(Shape(workers=1, slots=20, latency_seconds=2.0, emulator=SMALL))
    leaver = cluster.workers[0]
    batch = cluster.submit(LINES)
    _wait_until_all_slots_call(cluster)

    status = cluster.terminate(leaver)
    counts = cluster.counts(batch)
    attempts = cluster.seen.attempts(batch)

    assert status == 0, leaver.log
    assert counts.by_status == {JobStatus.SUCCEEDED: 20, JobStatus.QUEUED: 20}
    assert {ended.verdict for ended in attempts} == {VerdictKind.SUCCESS}
    assert {job.attempts_used for job in cluster.seen.jobs(batch, JobStatus.QUEUED)} == {0}
    assert cluster.emulator.state.calls == 20
    assert cluster.seen.leader() is None, "the lease was kept"
    assert leaver.spooled() == []
    cluster.add_worker()
    assert cluster.wait_until_done(batch).by_status == {JobStatus.SUCCEEDED: 40}
    assert cluster.seen.billed_twice() == set()


@pytest.mark.parametrize("way", ["the grace period ends", "a second signal"])
def test_calls_that_are_cut_use_up_no_attempt(start_cluster: StartCluster, way: str) -> None:
    """Cut calls are handed back with a note that they may have been billed; another worker makes them anew, at once."""
    grace = "1" if way == "the grace period ends" else "300"
    settings = {"TTSQ_GRACE_SECONDS": grace, "TTSQ_MAX_ATTEMPTS": "1"}
    shape = Shape(workers=1, slots=5, latency_seconds=ENDLESS_SECONDS, emulator=SMALL, settings=settings)
    cluster = start_cluster(shape)
    leaver = cluster.workers[0]
    batch = cluster.submit(LINES[:8])
    _wait_until_all_slots_call(cluster)

    leaver.send(signal.SIGTERM)
    if way == "a second signal":
        wait_for(lambda: '"shutting_down"' in leaver.log, seconds=20, what="the first signal heard")
        leaver.send(signal.SIGTERM)
    status = leaver.wait()

    assert status == (0 if way == "the grace period ends" else 1), leaver.log
    cut = cluster.seen.attempts(batch)
    assert [(ended.verdict, ended.code, ended.possibly_billed) for ended in cut] == [
        (VerdictKind.RELEASED, "worker_left", True)
    ] * 5
    assert cluster.counts(batch).by_status == {JobStatus.QUEUED: 8}
    assert {job.attempts_used for job in cluster.seen.jobs(batch)} == {0}
    cluster.emulator.admin.latency(Latency(seconds=0.1))
    cluster.add_worker()
    counts = cluster.wait_until_done(batch)
    assert counts.by_status == {JobStatus.SUCCEEDED: 8}
    assert {job.attempts_used for job in cluster.seen.jobs(batch)} == {1}
    assert "messages_lost" not in cluster.workers[-1].log, "a job waited for a message that no worker held"


def test_two_signals_end_a_worker_whose_database_is_away(start_cluster: StartCluster) -> None:
    """It releases nothing and exits; its jobs are rescued, flagged as possibly billed, and succeed."""
    shape = Shape(workers=1, slots=5, latency_seconds=ENDLESS_SECONDS, emulator=SMALL)
    cluster = start_cluster(shape)
    postgres, leaver = cluster.services.postgres, cluster.workers[0]
    assert postgres is not None
    batch = cluster.submit(LINES[:5])
    _wait_until_all_slots_call(cluster)

    postgres.kill()
    leaver.send(signal.SIGTERM)
    wait_for(lambda: '"shutting_down"' in leaver.log, seconds=20, what="the first signal heard")
    leaver.send(signal.SIGTERM)
    status = leaver.wait()
    postgres.restart()
    cluster.emulator.admin.latency(Latency(seconds=0.1))
    cluster.add_worker()
    counts = cluster.wait_until_done(batch)

    lost = [ended for ended in cluster.seen.attempts(batch) if ended.verdict == VerdictKind.LOST]
    assert status == 1, leaver.log
    assert len(lost) == 5
    assert all(ended.possibly_billed for ended in lost)
    assert counts.by_status == {JobStatus.SUCCEEDED: 5}


def test_all_workers_are_replaced_under_load(start_cluster: StartCluster) -> None:
    """One after the other, each new one up before the next leaves: starts go on, nothing is lost, paid twice or cut."""
    cluster = start_cluster(Shape(workers=3, slots=6, latency_seconds=1.0, emulator=SMALL))
    lines = [f"Ticket number {number} is valid all day." for number in range(1, 601)]
    batch = cluster.submit(lines)
    cluster.wait_until_succeeded(batch, 20)

    began_at = datetime.now(UTC)
    for leaver in list(cluster.workers):
        cluster.add_worker()
        assert cluster.terminate(leaver) == 0, leaver.log
    ended_at = datetime.now(UTC)
    counts = cluster.wait_until_done(batch, timeout=90)

    attempts = cluster.seen.attempts(batch)
    pause = _longest_pause(attempts, began_at, ended_at)
    print(f"replaced in {(ended_at - began_at).total_seconds():.1f} s, longest pause {pause.total_seconds():.2f} s")
    assert max(ended.started_at for ended in attempts) > ended_at, "the work was over too soon to show anything"
    assert pause < STANDSTILL
    assert counts.by_status == {JobStatus.SUCCEEDED: len(lines)}
    assert all(ended.verdict == VerdictKind.SUCCESS or ended.never_called for ended in attempts)
    assert cluster.emulator.state.calls == len(lines)
    assert cluster.seen.billed_twice() == set()
    assert all(worker.spooled() == [] for worker in cluster.workers if not worker.alive)
    assert _still_present(cluster) == {cluster.seen.worker_id(worker.pid) for worker in cluster.workers[-3:]}


def _wait_until_all_slots_call(cluster: Cluster) -> None:
    wait_for(
        lambda: cluster.emulator.admin.state(detail=False).in_flight == cluster.shape.slots,
        seconds=20,
        what="a call in every slot",
    )


def _longest_pause(attempts: list[Ended], since: datetime, until: datetime) -> timedelta:
    """Between two starts of calls."""
    starts = sorted(ended.started_at for ended in attempts if since < ended.started_at < until)
    return max(later - earlier for earlier, later in pairwise([since, *starts, until]))


def _still_present(cluster: Cluster) -> set[UUID]:
    with cluster.database.read() as connection:
        return {member.id for member in workers.present(connection)}
