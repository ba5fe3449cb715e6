"""Workers that leave under load: one with all its slots in long calls, and three that are replaced one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from worker.emulator.config import EmulatorConfig

EXIT_TARGET_SECONDS: Final = 30.0
STANDSTILL_SECONDS: Final = 5.0
START_SECONDS: Final = 60.0
WORKERS: Final = 3
SETTINGS: Final = {"TTSQ_TAKE_CHECKS": "off"}


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is left, and from what."""

    calls: int = 100
    """In flight when the one worker is asked to leave."""
    latency: float = 18.0
    """Seconds that each of them takes."""
    rolling_slots: int = 20
    """Of each of the three."""
    rolling_latency: float = 3.0
    audio_bytes: int = 240_000


FULL: Final = Knobs(rolling_slots=40, rolling_latency=7.7)


@dataclass(frozen=True, slots=True)
class Left:
    """One round."""

    name: str
    jobs: int
    seconds: float
    """From the first signal to the last worker's end."""
    longest_pause: float
    """Seconds between two starts of calls meanwhile."""
    fewest_in_window: int
    """Starts in the emptiest five seconds meanwhile."""
    repeated: int
    """Texts that were billed more than once."""
    faults: Sequence[str]


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Both rounds."""
    rounds = [_leave_at_once(knobs), _replace_all(knobs)]
    for one in rounds:
        say(f"{one.name}: {one.seconds:.1f} s")
    leaving, rolling = rounds
    return Report(
        name="leave",
        title=f"SIGTERM with {knobs.calls} calls of {knobs.latency:g} s in flight; {WORKERS} workers replaced in turn",
        columns=("", "jobs", "seconds", "longest pause s", "fewest starts in 5 s", "billed twice"),
        rows=[
            (one.name, one.jobs, one.seconds, one.longest_pause, one.fewest_in_window, one.repeated) for one in rounds
        ],
        findings=[
            f"the worker was gone {leaving.seconds:.1f} s after SIGTERM (target: {EXIT_TARGET_SECONDS:g} s)",
            f"the emptiest 5 s of the replacement saw {rolling.fewest_in_window} starts (target: above 0)",
        ],
        faults=[f"{one.name}: {fault}" for one in rounds for fault in one.faults],
        plot=Bars(("seconds", "longest pause s"), axis="s"),
    )


def _leave_at_once(knobs: Knobs) -> Left:
    """One worker, every slot in a call, one signal."""
    emulator = EmulatorConfig(audio_bytes=knobs.audio_bytes)
    shape = Shape(workers=1, slots=knobs.calls, latency_seconds=knobs.latency, emulator=emulator, settings=SETTINGS)
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        batch = cluster.submit([text(number) for number in range(1, knobs.calls + 1)])
        wait_for(
            lambda: cluster.emulator.admin.state(detail=False).in_flight == knobs.calls,
            seconds=START_SECONDS,
            what="all calls in flight",
        )
        began = time.monotonic()
        status = cluster.terminate(cluster.workers[0])
        seconds = time.monotonic() - began
        faults = _faults(cluster, status)
        if (recorded := cluster.counts(batch).of(JobStatus.SUCCEEDED)) != knobs.calls:
            faults.append(f"{recorded} of {knobs.calls} calls recorded")
        if seconds > EXIT_TARGET_SECONDS:
            faults.append(f"gone after {seconds:.1f} s only")
        return Left("one worker leaves", knobs.calls, seconds, 0.0, 0, len(cluster.seen.billed_twice()), faults)


def _replace_all(knobs: Knobs) -> Left:
    """Three workers with more to do than they get done meanwhile; a new one comes up before each of them leaves."""
    emulator = EmulatorConfig(audio_bytes=knobs.audio_bytes)
    shape = Shape(
        workers=WORKERS,
        slots=knobs.rolling_slots,
        latency_seconds=knobs.rolling_latency,
        emulator=emulator,
        settings=SETTINGS,
    )
    jobs = round(WORKERS * knobs.rolling_slots / knobs.rolling_latency * (WORKERS * 15 + 10 * knobs.rolling_latency))
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        batch = cluster.submit([text(number) for number in range(1, jobs + 1)])
        cluster.wait_until_succeeded(batch, WORKERS * knobs.rolling_slots, timeout=START_SECONDS)
        began_at = datetime.now(UTC)
        statuses = []
        for leaver in list(cluster.workers):
            cluster.add_worker()
            statuses.append(cluster.terminate(leaver))
        ended_at = datetime.now(UTC)
        faults = _faults(cluster, max(statuses))
        if not cluster.counts(batch).of(JobStatus.QUEUED):
            faults.append("the work was over before the last one had left")
        counts = cluster.wait_until_done(batch, timeout=START_SECONDS + jobs)
        attempts = cluster.seen.attempts(batch)
        if counts.of(JobStatus.SUCCEEDED) != jobs or {ended.verdict for ended in attempts} != {VerdictKind.SUCCESS}:
            faults.append(f"{counts.by_status}, {len(attempts)} attempts for {jobs} jobs")
        starts = [(ended.started_at - began_at).total_seconds() for ended in attempts]
        seconds = (ended_at - began_at).total_seconds()
        pause, fewest = _thinnest(sorted(start for start in starts if 0 <= start <= seconds), seconds)
        return Left("three are replaced", jobs, seconds, pause, fewest, len(cluster.seen.billed_twice()), faults)


def _thinnest(starts: Sequence[float], seconds: float) -> tuple[float, int]:
    """The longest pause, and the fewest starts in any five seconds between the beginning and the end."""
    pause = max(later - earlier for earlier, later in pairwise([0.0, *starts, seconds]))
    windows = [begin for begin in (0.0, *starts) if begin + STANDSTILL_SECONDS <= seconds]
    fewest = min(sum(begin < start <= begin + STANDSTILL_SECONDS for start in starts) for begin in windows)
    return pause, fewest


def _faults(cluster: Cluster, status: int) -> list[str]:
    faults = [] if status == 0 else [f"a worker left with status {status}"]
    if repeated := cluster.seen.billed_twice():
        faults.append(f"{len(repeated)} texts billed twice")
    return faults
