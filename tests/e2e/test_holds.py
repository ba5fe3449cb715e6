"""An error of the account or a model in mid-run: the queue holds, shows why and since when, and resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

import pytest

from api_models.registry import DEFAULT_MODEL
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.shape import Shape
from tests.cluster.sight import Ended
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.emulator.admin import Admin
from worker.emulator.api.refusals import ModelState
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule

LINES = [f"Berth number {number} is made up and warm." for number in range(1, 51)]
SHAPE = Shape(
    slots=5,
    latency_seconds=0.3,
    emulator=EmulatorConfig(audio_bytes=24_044),
    settings={"TTSQ_PROBE_SECONDS": "0.5"},
)
SENT_OUT: Final = 2 * SHAPE.workers * SHAPE.slots
"""Calls that may begin before the gate closes: one per slot, and as many that were published ahead."""
PROBES: Final = 2
"""That are waited for, each of which fails."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of error: how it begins, how it is repaired, and how the queue describes it."""

    begin: Callable[[Admin], None]
    mend: Callable[[Admin], None]
    gate: str
    code: str
    words: str


TROUBLES = {
    "401": Trouble(
        begin=lambda admin: admin.account(key_valid=False),
        mend=lambda admin: admin.account(key_valid=True),
        gate="account",
        code="bad_key",
        words="Missing or invalid API key",
    ),
    "406": Trouble(
        begin=lambda admin: admin.account(credits=Decimal(0)),
        mend=lambda admin: admin.account(credits=Decimal(10)),
        gate="account",
        code="insufficient_credits",
        words="Insufficient credits",
    ),
    "404": Trouble(
        begin=lambda admin: admin.model(DEFAULT_MODEL, ModelState.NOT_FOUND),
        mend=lambda admin: admin.model(DEFAULT_MODEL, ModelState.OK),
        gate=f"model:{DEFAULT_MODEL}",
        code="model_not_found",
        words="Model not found",
    ),
}


@pytest.mark.parametrize("status", TROUBLES)
def test_an_account_error_holds_the_queue_and_fails_no_job(start_cluster: StartCluster, status: str) -> None:
    """The hold names gate, reason and since when; no attempt is used up; once mended, the run ends by itself."""
    trouble, cluster = TROUBLES[status], start_cluster(SHAPE)
    admin = cluster.emulator.admin
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)

    began_at = datetime.now(UTC)
    trouble.begin(admin)
    hold = wait_for(lambda: next(iter(cluster.seen.holds()), None), seconds=20, what="a hold")
    wait_for(lambda: not cluster.seen.jobs(batch, JobStatus.RUNNING), seconds=20, what="calls in flight ended")
    held = cluster.counts(batch)
    trouble.mend(admin)
    mended_at = datetime.now(UTC)
    counts = cluster.wait_until_done(batch)

    went_on = min(ended.started_at for ended in cluster.seen.attempts(batch) if ended.started_at > mended_at)
    print(f"{status}: went on {(went_on - mended_at).total_seconds():.1f} s after it was mended")
    assert (hold.name, hold.code) == (trouble.gate, trouble.code)
    assert trouble.words in hold.message
    assert hold.since is not None
    assert began_at < hold.since < mended_at
    assert held.of(JobStatus.QUEUED, JobStatus.DISPATCHED) > 20, "the run finished before the error began"
    assert cluster.emulator.state.statuses[status] <= SENT_OUT + 3, "the queue ran on against a closed gate"
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert {job.attempts_used for job in cluster.seen.jobs(batch)} == {1}
    assert cluster.seen.holds() == []
    assert cluster.seen.billed_twice() == set()


def test_a_dead_upstream_is_tried_with_one_call_at_a_time(start_cluster: StartCluster) -> None:
    """What was sent out before it is found dead may still fail; then it is one after the other, until one succeeds."""
    cluster = start_cluster(SHAPE)
    admin = cluster.emulator.admin
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)
    admin.rules([Rule(effect=Effect(status=502, message="Bad gateway"))])

    hold = wait_for(lambda: next(iter(cluster.seen.holds()), None), seconds=30, what="a hold")
    sent_out = (JobStatus.DISPATCHED, JobStatus.RUNNING)
    wait_for(lambda: not cluster.seen.jobs(batch, *sent_out), seconds=20, what="an end of what was sent out before")
    quiet_since = datetime.now(UTC)

    def probes() -> list[Ended]:
        ended = sorted(cluster.seen.attempts(batch), key=lambda attempt: attempt.started_at)
        return [one for one in ended if one.started_at > quiet_since and one.verdict == VerdictKind.RETRY]

    wait_for(lambda: len(probes()) >= PROBES, seconds=60, what="some probes")
    admin.rules([])
    counts = cluster.wait_until_done(batch)

    print(f"{cluster.emulator.state.statuses['502']} calls failed, the last {len(probes())} one by one")
    assert (hold.name, hold.code) == (f"model:{DEFAULT_MODEL}", "breaker_open")
    assert all(earlier.finished_at <= later.started_at for earlier, later in pairwise(probes()))
    assert counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}


def test_a_refused_text_fails_alone(start_cluster: StartCluster) -> None:
    """A 400 ends that job at once, with the API's own words; the others succeed."""
    words = "voice_1 must be one of the documented voices"
    refusal = Rule(effect=Effect(status=400, message=words), match=Match(text_contains="number 7 "))
    emulator = EmulatorConfig(audio_bytes=24_044, rules=(refusal,))
    cluster = start_cluster(Shape(workers=1, latency_seconds=0.2, emulator=emulator))

    batch = cluster.submit(LINES[:20])
    counts = cluster.wait_until_done(batch)

    (failed,) = cluster.seen.jobs(batch, JobStatus.FAILED)
    assert counts.by_status == {JobStatus.SUCCEEDED: 19, JobStatus.FAILED: 1}
    assert (failed.text, failed.code, failed.attempts_used) == (LINES[6], "invalid_request", 1)
    assert words in (failed.message or "")
    assert cluster.emulator.state.statuses == {"200": 19, "400": 1}
