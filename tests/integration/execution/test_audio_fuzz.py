"""Damaged audio in every container, taken through a worker: accepted, judged, converted, encoded, stored, recorded.

`AUDIO_FUZZ` sets the number of containers, `AUDIO_FUZZ_SEED` which ones (`make audio-fuzz`).
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from api_models.speech import Speech
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import Workshop
from tests.containers import KINDS, container, damaged
from worker.audio.codec.pool import TIME_LIMIT_SECONDS
from worker.audio.gate import GateLimits
from worker.segmind.answers import Answer, Credits
from worker.segmind.client import NO_HANDLE, Handle

CONTAINERS: Final = int(os.environ.get("AUDIO_FUZZ", "120"))
SEED: Final = int(os.environ.get("AUDIO_FUZZ_SEED", "20261130"))
MAX_MEMORY_BYTES: Final = 400 * 2**20
TEXT: Final = "A tone that wavers, again."
FORMS: Final = (None, "mp3", "flac", "opus")


class Canned:
    """A client that answers with what it was given last."""

    def __init__(self) -> None:
        self.content = b""

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:  # noqa: ARG002
        """A paid answer, whole by its framing."""
        part = spool.with_name(f"{spool.name}.part")
        part.write_bytes(self.content)
        part.replace(spool)
        digest = hashlib.sha256(self.content).hexdigest()
        return Answer(200, sent=True, audio=spool, size=len(self.content), sha256=digest, cost=Decimal("0.0067"))

    def credits(self) -> Credits:
        """Enough."""
        return Credits(Decimal(1), Decimal(0))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def canned(shop: Workshop) -> Canned:
    """The API."""
    shop.client.client = client = Canned()
    return client


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


def peak_bytes(pid: int | str = "self") -> int:
    """The most memory that the process has held; 0 where the system doesn't say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


@pytest.mark.timeout(120 + CONTAINERS)
def test_no_container_ends_or_fills_a_worker(shop: Workshop, canned: Canned) -> None:
    """Each one ends as a take, or as a refused one, within its time and memory; nothing is left in the spool."""
    rng, outcomes, longest, largest = random.Random(SEED), Counter[str](), 0.0, 0
    before = peak_bytes()
    for number, (kind, content) in enumerate(damaged(CONTAINERS, SEED)):
        canned.content = content
        began = time.monotonic()
        loudness = rng.choice((None, None, -16.0))
        job = shop.job(text=f"{TEXT} {number}", audio_format=rng.choice(FORMS), target_lufs=loudness)
        row = shop.run(job)
        longest = max(longest, time.monotonic() - began)
        (attempt,) = shop.books(job)
        assert attempt.verdict in {VerdictKind.SUCCESS, VerdictKind.BAD_TAKE}, (number, kind, attempt.detail)
        outcomes[f"{attempt.verdict}: {(attempt.detail or '').partition(';')[0]}"] += 1
        assert (row.status == JobStatus.SUCCEEDED) == (attempt.verdict == VerdictKind.SUCCESS)
        largest = max(largest, *map(peak_bytes, shop.executor.pools.codecs.pids()), 0)
    for outcome, count in outcomes.most_common():
        print(f"{count:>6} {outcome}")
    print(
        f"longest {longest:.2f} s; largest codec process {largest / 2**20:.0f} MiB; worker {peak_bytes() / 2**20:.0f}"
    )
    assert longest < 2 * TIME_LIMIT_SECONDS
    assert largest < MAX_MEMORY_BYTES
    assert peak_bytes() - before < MAX_MEMORY_BYTES
    assert shop.spooled() == []


@pytest.mark.parametrize("kind", KINDS)
def test_undamaged_audio_is_accepted_in_any_container(shop: Workshop, canned: Canned, kind: str) -> None:
    """Both as an MP3 and as a WAV."""
    for form in (None, "mp3"):
        canned.content = container(kind)
        row = shop.run(shop.job(text=f"{TEXT} {form}", audio_format=form))
        assert (row.status, row.message) == (JobStatus.SUCCEEDED, None)
        assert abs(row.duration_ms - 2000) < 150


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("amplitude", [1e10, 3e38, 9.0])
def test_samples_far_beyond_full_scale_are_no_take(
    shop: Workshop, canned: Canned, amplitude: float, form: str | None
) -> None:
    """They would end an encoder, and the worker with it; they are kept for listening, and bought again."""
    canned.content = container("wav, float", amplitude=amplitude)
    job = shop.job(text=TEXT, audio_format=form)
    assert shop.run(job).status == JobStatus.QUEUED
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.detail.partition(";")[0]) == (VerdictKind.BAD_TAKE, "flaw out_of_range")
    assert attempt.take_uri is not None


@pytest.mark.parametrize("form", FORMS)
def test_samples_a_little_beyond_full_scale_are_clipped(shop: Workshop, canned: Canned, form: str | None) -> None:
    """What a careless mixer writes is a take; its peak is full scale."""
    canned.content = container("wav, float", amplitude=2.5)
    row = shop.run(shop.job(text=TEXT, audio_format=form))
    assert row.status == JobStatus.SUCCEEDED
    assert -0.1 < row.peak_dbfs <= 0
