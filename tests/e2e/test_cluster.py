"""The production shape with nothing going wrong: PostgreSQL, Redis, S3, two worker processes, an API with a limit."""

from __future__ import annotations

import hashlib
import io
import wave

from api_models.status import JobStatus
from tests.cluster.shape import Shape, StoreKind
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig
from worker.emulator.limits import WindowKind

PLACES = (
    "the harbour",
    "platform two",
    "the old mill",
    "our garden gate",
    "the lighthouse",
    "a quiet inn",
    "home",
    "sea",
)
HOURS = ("at noon", "before the rain comes", "by lamplight", "at ten minutes to eleven", "soon")
LINES = [f"The boat leaves from {place} {hour}." for place in PLACES for hour in HOURS]


def test_every_line_becomes_one_object_and_is_paid_once(start_cluster: StartCluster) -> None:
    """All succeed; each line has one WAV, whole by its row's checksum and unlike any other; the books agree."""
    cluster = start_cluster(Shape(store=StoreKind.SWIFT))

    batch = cluster.submit(LINES)
    counts = cluster.wait_until_done(batch)

    jobs = cluster.seen.jobs(batch)
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert sorted(cluster.seen.keys()) == [f"audio/default/{batch}/{number:04}.wav" for number in range(1, 41)]
    for job in jobs:
        audio = cluster.seen.audio(job)
        assert hashlib.sha256(audio).hexdigest() == job.sha256
        with wave.open(io.BytesIO(audio)) as sound:
            assert sound.getnframes() > 0
    assert len({job.sha256 for job in jobs}) == len(LINES)
    bill = cluster.emulator.state
    assert bill.billed == counts.cost == sum(job.cost for job in jobs)
    assert set(bill.billed_texts.values()) == {1}
    assert bill.max_in_flight > cluster.shape.slots, "only one of the two workers worked"
    assert [worker.spooled() for worker in cluster.workers] == [[], []]


def test_a_known_rate_limit_is_used_and_never_hit(start_cluster: StartCluster) -> None:
    """With the limit in SEGMIND_RPM there is no 429; how much of it is used, `benchmarks pace` measures."""
    strict = EmulatorConfig(rpm=600, window=WindowKind.TOKEN_BUCKET, burst=10, audio_bytes=24_044)
    cluster = start_cluster(Shape(rpm=600, latency_seconds=0.2, emulator=strict))

    batch = cluster.submit([f"Announcement number {number}." for number in range(100)])
    counts = cluster.wait_until_done(batch)

    seen = cluster.emulator.state
    admitted = sorted(seen.admitted_at)
    rate = (len(admitted) - 1) / (admitted[-1] - admitted[0]) * 60
    print(f"{rate:.0f} calls a minute of 600")
    assert counts.of(JobStatus.SUCCEEDED) == 100
    assert seen.statuses == {"200": 100}
    assert rate >= 0.5 * 600
