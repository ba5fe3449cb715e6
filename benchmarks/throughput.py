"""Jobs a second where nothing is waited for: no latency, 1 kB of audio, every job stored and recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import harness
from benchmarks.contender import Contender
from benchmarks.ours import OURS, Ours
from benchmarks.peers.lineup import chosen
from benchmarks.plots import Bars
from benchmarks.race import Course, Outing, race
from benchmarks.report import Report
from worker.emulator.config import EmulatorConfig

TARGETS: Final = {1: 250, 2: 350}
"""Jobs a second of ours, by worker processes."""
PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 1_000
    slots: int = 50
    """Of each worker process."""
    audio_bytes: int = 1_024
    peers: str = "threads,dramatiq,bare"
    """`all`, `none`, or some of them with commas between."""

    def __post_init__(self) -> None:
        """Raises ValueError for a peer that doesn't exist."""
        chosen(self.peers)


FULL: Final = Knobs(jobs=5_000, peers="all")


@dataclass(frozen=True, slots=True)
class Heat:
    """One contender with one number of processes."""

    processes: int
    slots: int
    outing: Outing

    @property
    def rate(self) -> float:
        """Jobs a second, from the first one submitted to the last one recorded."""
        books = self.outing.books
        return books.done / books.seconds if books.seconds else 0.0


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Everyone with one process, then everyone with two."""
    ours = Ours(rpm="unlimited")
    config = EmulatorConfig(audio_bytes=knobs.audio_bytes)
    heats = []
    with harness.services() as shared:
        for processes in TARGETS:
            course = Course(knobs.jobs, processes, processes * knobs.slots, PATIENCE_SECONDS)
            for contender in (ours, *chosen(knobs.peers)):
                if _runs(contender, processes):
                    outing = race(contender, shared, config, course)
                    heats.append(Heat(processes, contender.held(course.slots), outing))
                    say(f"{contender.name}, {processes} processes: {heats[-1].rate:.0f} jobs a second")
    return _report(heats, knobs)


def _runs(contender: Contender, processes: int) -> bool:
    """A contender without workers of its own has one process, and no second one."""
    return processes == 1 or bool(contender.crew(processes, 1))


def _report(heats: list[Heat], knobs: Knobs) -> Report:
    mine = [heat for heat in heats if heat.outing.contender == OURS]
    return Report(
        name="throughput",
        title=(
            f"{knobs.jobs:,} jobs at no latency with {knobs.audio_bytes:,} bytes of audio; PostgreSQL, Valkey, a light"
            " S3 and the emulator on the same cores"
        ),
        columns=("", "jobs/s", "target", "calls at once", "emulator, ms a job", "S3, ms a job"),
        rows=[
            (
                _name(heat),
                heat.rate,
                TARGETS[heat.processes] if heat in mine else "–",
                heat.slots,
                heat.outing.emulator_cpu / knobs.jobs * 1_000,
                heat.outing.store_cpu / knobs.jobs * 1_000,
            )
            for heat in heats
        ],
        findings=[
            f"{heat.rate:.0f} jobs a second with {_processes(heat.processes)}"
            f" (target: at least {TARGETS[heat.processes]})"
            for heat in mine
        ],
        faults=[fault for heat in heats for fault in heat.outing.faults],
        plot=Bars(
            ("jobs/s",), target="target", aim="at least", peers=[_name(heat) for heat in heats if heat not in mine]
        ),
    )


def _name(heat: Heat) -> str:
    return f"{heat.outing.contender}, {_processes(heat.processes)}"


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"
