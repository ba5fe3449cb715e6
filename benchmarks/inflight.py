"""Memory with thousands of calls in flight, and what one more of them costs, beside the tutorial pattern's threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import harness, proc
from benchmarks.contender import Contender
from benchmarks.harness import Scene
from benchmarks.ours import OURS, Ours
from benchmarks.peers.lineup import chosen
from benchmarks.plots import Bars
from benchmarks.processes import Measured
from benchmarks.race import Course, Outing, race
from benchmarks.report import Report
from worker.emulator.config import EmulatorConfig

TARGET_MB: Final = 450
TARGET_CALLS: Final = 3_000
"""What the target is meant for."""
POLL_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 1.0
"""Between the last start and the reading, so that memory needed only for starting has been released."""
PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    calls: int = 600
    few: int = 60
    """The smaller size; the difference to `calls` yields the memory of one more call."""
    processes: int = 1
    latency: float = 12.0
    """Seconds: long enough for all calls to be started while the first one is still open."""
    audio_bytes: int = 24_000
    peers: str = "threads"
    """`all`, `none`, or some of them with commas between."""

    def __post_init__(self) -> None:
        """Raises ValueError for a peer that doesn't exist."""
        chosen(self.peers)


FULL: Final = Knobs(calls=TARGET_CALLS, few=300, latency=45.0)


@dataclass(slots=True)
class Watch:
    """Looks on until all calls are open at once, and reads the memory of all processes then."""

    calls: int
    memory_mb: float = 0.0
    """The proportional shares (PSS) of all processes together; 0 where the calls never were open all at once."""
    start_seconds: float = 0.0
    """From the start of submission to the last call's start."""

    def __call__(self, scene: Scene, crew: Sequence[Measured]) -> None:
        """Wait until all calls are in flight, or until the first one has finished."""
        began = time.perf_counter()
        while time.perf_counter() < began + PATIENCE_SECONDS:
            seen = scene.emulator.admin.state(detail=False)
            if seen.max_in_flight == self.calls or seen.billed_calls:
                break
            time.sleep(POLL_SECONDS)
        self.start_seconds = time.perf_counter() - began
        time.sleep(SETTLE_SECONDS)
        if scene.emulator.admin.state(detail=False).in_flight == self.calls:
            self.memory_mb = sum(proc.memory_mb(pid) for process in crew for pid in proc.session(process.pid))


@dataclass(frozen=True, slots=True)
class Reading:
    """One contender at one size."""

    watch: Watch
    outing: Outing

    @property
    def faults(self) -> list[str]:
        """Why it doesn't count."""
        short = [] if self.watch.memory_mb else [f"{self.outing.contender}: calls were over before all were open"]
        return [*self.outing.faults, *short]


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Each contender at both sizes, on fresh servers."""
    config = EmulatorConfig(audio_bytes=knobs.audio_bytes, latency_seconds=knobs.latency)
    found: dict[str, list[Reading]] = {}
    with harness.services() as shared:
        for contender in _lineup(knobs):
            for calls in (knobs.few, knobs.calls):
                watch = Watch(calls)
                course = Course(calls, knobs.processes, calls, PATIENCE_SECONDS)
                reading = Reading(watch, race(contender, shared, config, course, watch))
                found.setdefault(contender.name, []).append(reading)
                say(f"{contender.name}: {watch.memory_mb:.0f} MB with {calls:,} calls open")
    return _report(found, knobs)


def _lineup(knobs: Knobs) -> list[Contender]:
    """The contenders that can hold `knobs.calls` calls."""
    return [one for one in (Ours(rpm="unlimited"), *chosen(knobs.peers)) if one.held(knobs.calls) == knobs.calls]


def _report(found: dict[str, list[Reading]], knobs: Knobs) -> Report:
    mine = found[OURS][1].watch.memory_mb
    meant = f"target for {TARGET_CALLS:,}: at most {TARGET_MB}"
    return Report(
        name="inflight",
        title=(
            f"Memory (PSS of all worker processes) with {knobs.few:,} and {knobs.calls:,} calls in flight at once;"
            f" {knobs.processes} worker processes"
        ),
        columns=(
            "",
            f"MB with {knobs.calls:,}",
            f"MB with {knobs.few:,}",
            "kB a further call",
            "highest MB",
            "s until all were open",
        ),
        rows=[
            (
                name,
                many.watch.memory_mb,
                few.watch.memory_mb,
                _kb_a_call(few.watch, many.watch),
                many.outing.highest_mb,
                many.watch.start_seconds,
            )
            for name, (few, many) in found.items()
        ],
        findings=[
            f"{mine:.0f} MB with {knobs.calls:,} calls in flight ({meant})",
            *(
                f"{name}: {_kb_a_call(few.watch, many.watch):.0f} kB for each further call"
                for name, (few, many) in found.items()
            ),
        ],
        faults=[fault for readings in found.values() for reading in readings for fault in reading.faults],
        plot=Bars(
            (f"MB with {knobs.calls:,}",),
            target=TARGET_MB if knobs.calls == TARGET_CALLS else None,
            aim="at most",
            peers=[name for name in found if name != OURS],
        ),
    )


def _kb_a_call(few: Watch, many: Watch) -> float:
    return (many.memory_mb - few.memory_mb) * 1024 / (many.calls - few.calls)
