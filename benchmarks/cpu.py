"""CPU per job over PostgreSQL, Redis and S3, ours between the tutorial pattern's and a bare script's, in turns.

Counted are all processes but the emulator and the servers. What an idle set of the same processes uses from start to
stop is measured in each round too, and subtracted. One more outing of ours, in none of the figures, is sampled for
where its CPU goes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import harness, rooms, sampled, texts
from benchmarks.contender import Contender
from benchmarks.expense import Measurement, Outing
from benchmarks.harness import Scene
from benchmarks.ours import OURS, Ours
from benchmarks.peers.lineup import Bare, Tutorial
from benchmarks.plots import Bars
from benchmarks.processes import Measured, Usage
from benchmarks.race import started
from benchmarks.report import Report
from tests.cluster.services import Services
from worker.emulator.config import EmulatorConfig

TUTORIAL: Final = Tutorial()
FLOOR: Final = Bare()
TARGET_MS: Final = 3.0
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
    rounds: int = 2
    characters: int = 0
    """Length of texts that the emulator speaks, 15 to a second, instead of audio of a fixed size; takes are checked."""

    @property
    def bound_seconds(self) -> float:
        """Lower bound for any executor with this many slots."""
        return self.jobs / (self.workers * self.slots) * self.latency


FULL: Final = Knobs(jobs=4_000, slots=100, rounds=5)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Rounds of A B C A B C, each on fresh servers; then the one that is sampled."""
    if knobs.characters:
        os.environ[texts.CHARACTERS] = str(knobs.characters)
    lineup: Sequence[Contender] = (Ours(listens=bool(knobs.characters)), TUTORIAL, FLOOR)
    found: dict[str, list[Measurement]] = {contender.name: [] for contender in lineup}
    with harness.services() as shared:
        for number in range(1, knobs.rounds + 1):
            for contender in lineup:
                measured = _round(contender, shared, knobs)
                found[contender.name].append(measured)
                say(
                    f"round {number}: {contender.name}: {measured.net_ms:.2f} ms a job net, {measured.raw_ms:.2f} raw,"
                    f" {measured.busy.seconds:.1f} s"
                )
        spent = _spent_by_room(shared, knobs)
    return _report(found, spent, knobs)


def _round(contender: Contender, shared: Services, knobs: Knobs) -> Measurement:
    with harness.scene(shared, _emulator(knobs), light=True) as scene:
        contender.prepare(scene)
        idle = _outing(contender, scene, knobs, jobs=0)
        busy = _outing(contender, scene, knobs, jobs=knobs.jobs)
    return Measurement(idle, busy, knobs.jobs)


def _emulator(knobs: Knobs) -> EmulatorConfig:
    audio_bytes = None if knobs.characters else knobs.audio_bytes
    return EmulatorConfig(audio_bytes=audio_bytes, latency_seconds=knobs.latency)


def _outing(contender: Contender, scene: Scene, knobs: Knobs, *, jobs: int) -> Outing:
    """Start the programs, submit the jobs, wait until they finish, stop the programs."""
    with started(contender, scene, f"worker-of-{jobs}", knobs.workers, knobs.slots) as crew:
        began = time.perf_counter()
        handed_in = _work(contender, scene, knobs, jobs)
        seconds = time.perf_counter() - began
        ended = [worker.stop() for worker in crew]
    return Outing(seconds, handed_in, ended, list(_faults(contender, scene, knobs, jobs)))


def _work(contender: Contender, scene: Scene, knobs: Knobs, jobs: int) -> Usage:
    """Submit the jobs and wait until they finish; return the CPU usage of the submitting process."""
    patience = START_SECONDS + PATIENCE * knobs.bound_seconds
    # A contender without workers is its own: it has all the slots.
    slots = knobs.slots if contender.crew(knobs.workers, knobs.slots) else knobs.slots * knobs.workers
    environment = contender.environment(scene, slots)
    with Measured(f"producer-of-{jobs}", contender.submit(jobs), scene.folder, environment) as producer:
        handed_in = producer.wait(patience)
    deadline = time.perf_counter() + patience
    while contender.books(scene).done < jobs and time.perf_counter() < deadline:
        time.sleep(POLL_SECONDS)
    return handed_in


def _spent_by_room(shared: Services, knobs: Knobs) -> dict[str, float]:
    """Milliseconds a job that our workers spent in each room from the handing in to the last job's end."""
    with harness.scene(shared, _emulator(knobs), light=True) as scene:
        ours = Ours(
            listens=bool(knobs.characters), through=(sys.executable, "-m", "benchmarks.sampled", str(scene.folder))
        )
        ours.prepare(scene)
        with started(ours, scene, "sampled", knobs.workers, knobs.slots) as crew:
            before = _spent(scene.folder, crew)
            _work(ours, scene, knobs, knobs.jobs)
            time.sleep(2 * sampled.WRITE_SECONDS)
            after = _spent(scene.folder, crew)
    return {room: 1_000 * (after[room] - before[room]) / knobs.jobs for room in rooms.NAMES}


def _spent(folder: Path, crew: Sequence[Measured]) -> dict[str, float]:
    """CPU seconds so far, by room."""
    written = [json.loads(sampled.file_of(folder, worker.pid).read_text(encoding="utf-8")) for worker in crew]
    return {room: sum(each.get(room, 0.0) for each in written) for room in rooms.NAMES}


def _faults(contender: Contender, scene: Scene, knobs: Knobs, jobs: int) -> Sequence[str]:
    """Why the work was not what was asked for: too little of it, or too much."""
    faults = []
    done, billed = contender.books(scene).done, scene.emulator.admin.state(detail=False).billed_calls
    stored = scene.stored()
    whole = sum(knobs.characters > 0 or size == knobs.audio_bytes for size in stored.values())
    if done != jobs:
        faults.append(f"{contender.name}: {done} of {jobs} jobs done")
    if billed != jobs:
        faults.append(f"{contender.name}: {billed} calls billed for {jobs} jobs")
    if whole != jobs:
        faults.append(f"{contender.name}: {whole} of {jobs} objects stored whole")
    return faults


def _report(found: dict[str, list[Measurement]], spent: dict[str, float], knobs: Knobs) -> Report:
    net = {name: median(each.net_ms for each in several) for name, several in found.items()}
    pairs = zip(found[OURS], found[TUTORIAL.name], strict=True)
    ratios = ", ".join(f"{mine.net_ms / other.net_ms:.2f}" for mine, other in pairs)
    return Report(
        name="cpu",
        title=(
            f"CPU a job: {knobs.jobs:,} jobs, {_audio(knobs)}, {knobs.workers} workers with"
            f" {knobs.slots} slots, {knobs.latency:g} s a call; PostgreSQL, Valkey, a light S3"
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
            f"ours: {net[OURS]:.2f} ms net (target: at most {TARGET_MS})",
            f"ours / tutorial: {net[OURS] / net[TUTORIAL.name]:.2f} (round by round {ratios})",
            f"ours / no queue at all: {net[OURS] / net[FLOOR.name]:.1f}",
            f"of {sum(spent.values()):.2f} ms in our workers, sampled: "
            + ", ".join(f"{room} {ms:.2f}" for room, ms in spent.items()),
        ],
        faults=[fault for several in found.values() for each in several for fault in each.busy.faults],
        rounds=[
            {"contender": name, "net_ms": each.net_ms, "raw_ms": each.raw_ms, "seconds": each.busy.seconds}
            for name, several in found.items()
            for each in several
        ],
        plot=Bars(("net ms",), target=TARGET_MS, aim="at most", peers=[TUTORIAL.name, FLOOR.name]),
    )


def _audio(knobs: Knobs) -> str:
    if not knobs.characters:
        return f"{knobs.audio_bytes:,} bytes of audio, checks off"
    return f"texts of {knobs.characters} characters, spoken and checked"


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
