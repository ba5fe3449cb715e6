"""A run whose audio is encoded, against the same run that leaves WAV: encoding must not hold up the slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.running import Run, run
from worker.emulator.config import EmulatorConfig

PATIENCE: Final = 20.0
PLAIN: Final = "wav"


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    lines: int = 200
    slots: int = 100
    latency: float = 8.0
    """Seconds a call takes in the middle."""
    jitter: float = 0.5
    """How far calls are from it, as a share. At 0 all end in one moment, and the encoders have them all at once."""
    audio_bytes: int = 240_000
    rounds: int = 1
    forms: str = "wav,flac,mp3"


FULL: Final = Knobs(lines=500, rounds=3, forms="wav,flac,mp3,opus")


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """The same run in each form, in turn."""
    config = EmulatorConfig(latency_seconds=knobs.latency, jitter=knobs.jitter, audio_bytes=knobs.audio_bytes)
    bound = -(-knobs.lines // knobs.slots) * knobs.latency
    runs: dict[str, list[Run]] = {form: [] for form in knobs.forms.split(",")}
    for number in range(1, knobs.rounds + 1):
        for form, done in runs.items():
            settings = {"TTSQ_CONCURRENCY": str(knobs.slots)}
            asked = ("--format", form)
            done.append(run(knobs.lines, config, settings, patience_seconds=30 + PATIENCE * bound, options=asked))
            say(f"round {number}, {form}: {done[-1].work_seconds / bound:.3f} of the bound")
    return _report(runs, knobs, bound)


def _report(runs: dict[str, list[Run]], knobs: Knobs, bound: float) -> Report:
    works = {form: median(one.work_seconds for one in done) for form, done in runs.items()}
    spans = {form: median(one.span_seconds for one in done) for form, done in runs.items()}
    cpus = {form: median(one.cpu_seconds for one in done) for form, done in runs.items()}
    plain = next(iter(works))
    return Report(
        name="formats",
        title=(
            f"`ttsq run --format`, embedded default: {knobs.lines} lines of {knobs.audio_bytes:,} bytes, {knobs.slots}"
            f" slots, {knobs.latency:g} s a call, more or less by {knobs.jitter:.0%}; bound {bound:g} s"
        ),
        columns=("form", "work s", "x bound", f"x {plain}", "first to last call s", "CPU s"),
        rows=[(form, work, work / bound, work / works[plain], spans[form], cpus[form]) for form, work in works.items()],
        findings=[
            f"{form}: {work / works[plain]:.3f} of the time that {plain} takes; the last call began"
            f" {spans[form] - spans[plain]:+.2f} s later"
            for form, work in works.items()
            if form != plain
        ],
        faults=[fault for done in runs.values() for one in done for fault in one.faults],
        rounds=[
            {"form": form, "work_s": one.work_seconds, "cpu_s": one.cpu_seconds}
            for form, done in runs.items()
            for one in done
        ],
        plot=Bars(("work s",), axis="s from the first call to the end"),
    )
