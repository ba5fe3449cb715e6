"""An API of which three calls in ten fail: whether jobs end as the odds have it, and with how many calls."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api_models.status import JobStatus
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.luck import failing_rules
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from worker.emulator.config import EmulatorConfig

TOLERANCE: Final = 0.1
UNLIKELY: Final = 0.001
"""A number of failed jobs that comes about more seldom than this is no luck any more."""
ATTEMPTS: Final = 5
"""The queue's default."""
PATIENCE_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 500
    share: float = 0.3
    """Of the calls: 500, 502, 504 and resets, as many of each."""
    seed: int = 1

    @property
    def expected_calls(self) -> float:
        """What the odds demand: a job is tried until it succeeds, or its attempts are used up."""
        return self.jobs * (1 - self.share**ATTEMPTS) / (1 - self.share)

    @property
    def most_failed(self) -> int:
        """The largest number of failed jobs that is still luck."""
        odds, likelihood = self.share**ATTEMPTS, 0.0
        for failed in range(self.jobs + 1):
            likelihood += math.comb(self.jobs, failed) * odds**failed * (1 - odds) ** (self.jobs - failed)
            if likelihood > 1 - UNLIKELY:
                return failed
        return self.jobs


FULL: Final = Knobs(jobs=2_000)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One batch."""
    config = EmulatorConfig(audio_bytes=24_044, seed=knobs.seed, rules=failing_rules(knobs.share))
    shape, began = Shape(slots=25, latency_seconds=0.2, emulator=config), time.monotonic()
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        batch = cluster.submit([text(number) for number in range(1, knobs.jobs + 1)])
        counts = cluster.wait_until_done(batch, PATIENCE_SECONDS)
        seconds, seen = time.monotonic() - began, cluster.emulator.state
    say(f"over after {seconds:.0f} s")
    failed, ratio = counts.of(JobStatus.FAILED), seen.calls / knobs.expected_calls
    expected, allowed = knobs.jobs * knobs.share**ATTEMPTS, knobs.most_failed
    faults = [
        (failed > allowed, f"{failed} jobs failed, where the odds allow {allowed}"),
        (abs(ratio - 1) > TOLERANCE, f"{seen.calls} calls, where the odds demand {knobs.expected_calls:.0f}"),
        (counts.of(JobStatus.SUCCEEDED) + failed != knobs.jobs, "some jobs did neither succeed nor fail"),
        (counts.cost != seen.billed, f"{counts.cost} in the ledger, {seen.billed} on the bill"),
    ]
    return Report(
        name="faults",
        title=(
            f"{knobs.jobs} jobs on PostgreSQL, Redis and S3; {knobs.share:.0%} of the calls fail, as many with 500,"
            f" 502, 504 and a reset; {ATTEMPTS} attempts a job (seed {knobs.seed})"
        ),
        columns=("", "jobs", "succeeded", "failed", "calls", "odds", "ratio", "s"),
        rows=[
            (
                "faults",
                knobs.jobs,
                counts.of(JobStatus.SUCCEEDED),
                failed,
                seen.calls,
                round(knobs.expected_calls),
                ratio,
                seconds,
            )
        ],
        findings=[
            f"{failed} jobs used up their {ATTEMPTS} attempts; the odds expect {expected:.1f}, and allow {allowed}",
            f"{ratio:.3f} x the calls that the odds demand (target: within {TOLERANCE:.0%})",
        ],
        faults=[words for wrong, words in faults if wrong],
        plot=Bars(("calls", "odds"), axis="calls"),
    )
