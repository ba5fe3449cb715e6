"""A text that kills whatever worker speaks it: it is stopped, and takes nothing with it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig
from worker.emulator.ledger import text_hash

MAX_ATTEMPTS: Final = 2
POISON: Final = 3
LINES: Final = [f"Bottle number {number} stands on the upper shelf." for number in range(1, 11)]
STOPPED_SECONDS: Final = 90.0


def test_a_text_that_kills_its_workers_is_stopped_and_fails_alone(start_cluster: StartCluster) -> None:
    """It fails after its last permitted attempt, and says why; every other line is spoken, though some died with it."""
    settings = {"TTSQ_MAX_ATTEMPTS": str(MAX_ATTEMPTS)}
    emulator = EmulatorConfig(audio_bytes=24_044)
    cluster = start_cluster(Shape(workers=1, slots=3, latency_seconds=1.0, emulator=emulator, settings=settings))
    batch = cluster.submit(LINES)
    poison = text_hash(LINES[POISON - 1])

    deaths = 0
    while wait_for(
        lambda: poison in cluster.emulator.state.texts_in_flight or _has_failed(cluster, batch),
        seconds=STOPPED_SECONDS,
        what="the text is spoken again, or has failed",
        instead=lambda: cluster.report(batch),
    ) and not _has_failed(cluster, batch):
        cluster.kill(cluster.workers[-1])
        deaths += 1
        wait_for(  # a worker that starts quickly would be killed for the former one's call
            lambda: poison not in cluster.emulator.state.texts_in_flight,
            seconds=STOPPED_SECONDS,
            what="the call of the killed worker has ended",
        )
        cluster.add_worker()
    counts = cluster.wait_until_done(batch)

    (failed,) = cluster.seen.jobs(batch, JobStatus.FAILED)
    lost = [ended for ended in cluster.seen.attempts(batch) if ended.verdict == VerdictKind.LOST]
    print(f"{deaths} deaths, {len({ended.job_id for ended in lost}) - 1} others died with it once")
    assert deaths == MAX_ATTEMPTS
    assert (failed.text, failed.code, failed.attempts_used) == (LINES[POISON - 1], "worker_lost", MAX_ATTEMPTS)
    assert "No attempts remain" in (failed.message or "")
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES) - 1, JobStatus.FAILED: 1}
    assert {ended.job_id for ended in lost} > {failed.id}, "nothing else was in flight, so this shows little"


def _has_failed(cluster: Cluster, batch: UUID) -> bool:
    return cluster.counts(batch).of(JobStatus.FAILED) > 0
