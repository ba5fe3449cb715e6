"""A run on the embedded default against its bound: lines x latency / slots, with nothing but waiting in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.report import Report
from benchmarks.running import Run, run
from worker.emulator.config import EmulatorConfig

TARGET: Final = 1.25
START_TARGET_SECONDS: Final = 3.0
PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    lines: int = 500
    slots: int = 100
    latency: float = 2.0
    """Seconds a call takes."""
    audio_bytes: int = 240_000
    rounds: int = 3

    @property
    def bound_seconds(self) -> float:
        """Lower bound for any executor with this many slots: whole waves of calls."""
        return -(-self.lines // self.slots) * self.latency


FULL: Final = Knobs(rounds=7)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """The same run a few times."""
    config = EmulatorConfig(latency_seconds=knobs.latency, audio_bytes=knobs.audio_bytes)
    runs = []
    for number in range(1, knobs.rounds + 1):
        settings = {"TTSQ_CONCURRENCY": str(knobs.slots)}
        runs.append(run(knobs.lines, config, settings, patience_seconds=30 + PATIENCE * knobs.bound_seconds))
        say(f"round {number}: start {runs[-1].start_seconds:.2f} s, then {_ratio(runs[-1], knobs):.3f} of the bound")
    return _report(runs, knobs)


def _ratio(one: Run, knobs: Knobs) -> float:
    return one.work_seconds / knobs.bound_seconds


def _report(runs: list[Run], knobs: Knobs) -> Report:
    rows = [
        (f"round {number}", one.start_seconds, one.work_seconds, _ratio(one, knobs), one.cpu_seconds, one.span_seconds)
        for number, one in enumerate(runs, 1)
    ]
    middle = tuple(median(column) for column in zip(*(row[1:] for row in rows), strict=True))
    ratio, start = middle[2], middle[0]
    return Report(
        name="run",
        title=(
            f"`ttsq run`, embedded default: {knobs.lines} lines, {knobs.slots} slots, {knobs.latency:g} s a call,"
            f" no rate limit; bound {knobs.bound_seconds:g} s"
        ),
        columns=("", "start s", "work s", "x bound", "CPU s", "first to last call s"),
        rows=[*rows, ("median", *middle)],
        findings=[
            f"first call to the end of the process: {ratio:.3f} x the bound (target: at most {TARGET})",
            f"process start to first call: {start:.2f} s (target: under {START_TARGET_SECONDS:g} s)",
        ],
        faults=[fault for one in runs for fault in one.faults],
        rounds=[{"start_s": row[1], "work_s": row[2], "x_bound": row[3]} for row in rows],
    )
