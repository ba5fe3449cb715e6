"""CPU per job over PostgreSQL, Redis and S3, ours beside the tutorial pattern's, in rounds that take turns.

Counted are all processes but the emulator and the servers. What an idle set of the same processes uses from start to
stop is measured in each round too, and subtracted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks import stage
from benchmarks.contender import Contender
from benchmarks.ours import Ours
from benchmarks.peers.tutorial_setup import Tutorial
from benchmarks.processes import Measured, Usage
from benchmarks.report import Report
from benchmarks.stage import Scene
from tests.cluster.services import Services
from worker.emulator.config import EmulatorConfig

LINEUP: Final[Sequence[Contender]] = (Ours(), Tutorial())
POLL_SECONDS: Final = 0.25
PATIENCE: Final = 5.0
"""How many times the bound a round may take before it is given up."""
START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is asked of each contender."""

    jobs: int = 1_000
    workers: int = 2
    slots: int = 50
    """Of each worker."""
    latency: float = 1.0
    """Seconds a call takes."""
    audio_bytes: int = 240_000
    rounds: int = 3

    @property
    def bound_seconds(self) -> float:
        """No executor with so many slots is faster."""
        return self.jobs / (self.workers * self.slots) * self.latency


FULL: Final = Knobs(jobs=4_000, slots=100, rounds=5)


@dataclass(frozen=True, slots=True)
class Outing:
    """One contender's processes, all ended."""

    seconds: float
    """From the first job handed in to the last one done."""
    producer: Usage
    workers: Sequence[Usage]
    faults: Sequence[str]

    @property
    def usages(self) -> Sequence[Usage]:
        """Of all that is counted."""
        return (self.producer, *self.workers)

    @property
    def cpu(self) -> float:
        """Seconds, user and system."""
        return sum(used.cpu_seconds for used in self.usages)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender in one round."""

    idle: Outing
    busy: Outing
    jobs: int

    @property
    def raw_ms(self) -> float:
        """Milliseconds a job, start and stop of the processes included."""
        return self.busy.cpu / self.jobs * 1_000

    @property
    def net_ms(self) -> float:
        """Milliseconds a job beyond what the idle processes use."""
        return (self.busy.cpu - self.idle.cpu) / self.jobs * 1_000

    @property
    def producer_ms(self) -> float:
        """The producer's part of the net."""
        return (self.busy.producer.cpu_seconds - self.idle.producer.cpu_seconds) / self.jobs * 1_000

    @property
    def system_share(self) -> float:
        """The kernel's share of the net."""
        system = _system(self.busy) - _system(self.idle)
        return system / max(self.busy.cpu - self.idle.cpu, 1e-9)

    @property
    def switches(self) -> float:
        """Context switches a job."""
        return sum(used.switches for used in self.busy.usages) / self.jobs

    @property
    def peak_mb(self) -> float:
        """Of the largest process."""
        return max(used.peak_mb for used in self.busy.usages)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Rounds of A B A B, each on fresh servers."""
    found: dict[str, list[Measurement]] = {contender.name: [] for contender in LINEUP}
    with stage.services() as shared:
        for number in range(1, knobs.rounds + 1):
            for contender in LINEUP:
                measured = _round(contender, shared, knobs)
                found[contender.name].append(measured)
                say(
                    f"round {number}: {contender.name}: {measured.net_ms:.2f} ms a job net, {measured.raw_ms:.2f} raw,"
                    f" {measured.busy.seconds:.1f} s"
                )
    return _report(found, knobs)


def _round(contender: Contender, shared: Services, knobs: Knobs) -> Measurement:
    config = EmulatorConfig(audio_bytes=knobs.audio_bytes, latency_seconds=knobs.latency)
    with stage.scene(shared, config) as scene:
        contender.prepare(scene)
        idle = _outing(contender, scene, knobs, jobs=0)
        busy = _outing(contender, scene, knobs, jobs=knobs.jobs)
    return Measurement(idle, busy, knobs.jobs)


def _outing(contender: Contender, scene: Scene, knobs: Knobs, *, jobs: int) -> Outing:
    """Start all, hand in, wait for the end, stop all."""
    environment = contender.environment(scene, knobs.slots)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                Measured(f"{number}-of-{jobs}", contender.worker(knobs.slots), scene.folder, environment)
            )
            for number in range(knobs.workers)
        ]
        for worker in workers:
            worker.await_line(contender.ready)
        began = time.perf_counter()
        producer = stack.enter_context(
            Measured(f"producer-of-{jobs}", contender.submit(jobs), scene.folder, environment)
        )
        handed_in = producer.wait()
        _await_done(contender, scene, jobs, time.perf_counter() + START_SECONDS + PATIENCE * knobs.bound_seconds)
        seconds = time.perf_counter() - began
        ended = [worker.stop() for worker in workers]
    return Outing(seconds, handed_in, ended, list(_faults(contender, scene, knobs, jobs)))


def _await_done(contender: Contender, scene: Scene, jobs: int, deadline: float) -> None:
    while contender.done(scene) < jobs and time.perf_counter() < deadline:
        time.sleep(POLL_SECONDS)


def _faults(contender: Contender, scene: Scene, knobs: Knobs, jobs: int) -> Sequence[str]:
    """Why the work was not what was asked for: too little of it, or too much."""
    faults = []
    done, billed = contender.done(scene), scene.emulator.admin.state(detail=False).billed_calls
    stored = scene.stored()
    whole = sum(size == knobs.audio_bytes for size in stored.values())
    if done != jobs:
        faults.append(f"{contender.name}: {done} of {jobs} jobs done")
    if billed != jobs:
        faults.append(f"{contender.name}: {billed} calls billed for {jobs} jobs")
    if whole != jobs:
        faults.append(f"{contender.name}: {whole} of {jobs} objects stored whole")
    return faults


def _system(outing: Outing) -> float:
    return sum(used.system_seconds for used in outing.usages)


def _report(found: dict[str, list[Measurement]], knobs: Knobs) -> Report:
    ours, theirs = (found[contender.name] for contender in LINEUP)
    ratios = [mine.net_ms / other.net_ms for mine, other in zip(ours, theirs, strict=True)]
    ratio = median(each.net_ms for each in ours) / median(each.net_ms for each in theirs)
    faults = [fault for several in found.values() for each in several for fault in each.busy.faults]
    verdict = "ours is the lower" if ratio < 1 else "ours is NOT the lower"
    return Report(
        name="cpu",
        title=(
            f"CPU a job: {knobs.jobs:,} jobs, {knobs.audio_bytes:,} bytes of audio, {knobs.workers} workers with"
            f" {knobs.slots} slots, {knobs.latency:g} s a call; PostgreSQL, Valkey, moto's S3"
        ),
        columns=(
            "median of rounds",
            "net ms",
            "of it producer",
            "raw ms",
            "idle s",
            "kernel",
            "switches",
            "peak MB",
            "x bound",
        ),
        rows=[_row(name, measured, knobs) for name, measured in found.items()],
        findings=[
            f"ours / tutorial: {ratio:.2f} (round by round {', '.join(f'{each:.2f}' for each in ratios)})",
            verdict if not faults else "nothing can be said of which is the lower",
        ],
        faults=faults,
        rounds=[
            {"contender": name, "net_ms": each.net_ms, "raw_ms": each.raw_ms, "seconds": each.busy.seconds}
            for name, several in found.items()
            for each in several
        ],
    )


def _row(name: str, measured: Sequence[Measurement], knobs: Knobs) -> Sequence[str | float]:
    return (
        name,
        median(each.net_ms for each in measured),
        median(each.producer_ms for each in measured),
        median(each.raw_ms for each in measured),
        median(each.idle.cpu for each in measured),
        f"{median(each.system_share for each in measured):.0%}",
        f"{median(each.switches for each in measured):.0f}",
        f"{median(each.peak_mb for each in measured):.0f}",
        median(each.busy.seconds for each in measured) / knobs.bound_seconds,
    )
