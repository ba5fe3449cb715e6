"""One contender's run in a race: start its programs, submit the jobs, wait for them, read the rows and the servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks import harness, proc
from benchmarks.contender import Books, Contender
from benchmarks.harness import Scene
from benchmarks.processes import Measured
from tests.cluster.services import Services
from worker.emulator.config import EmulatorConfig
from worker.emulator.ledger import State

POLL_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 25.0
"""No call is open and none has come for so long: what isn't done by then was given up. Retries may wait nearly as
long."""

AtWork = Callable[[Scene, Sequence[Measured]], None]
"""Looks on while a contender is at work."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is asked of a contender."""

    jobs: int
    processes: int
    slots: int
    """Of all processes together."""
    patience_seconds: float
    """Time limit of the run, from the moment all jobs are submitted."""

    @property
    def slots_each(self) -> int:
        """Of one process."""
        return self.slots // self.processes


@dataclass(frozen=True, slots=True)
class Outing:
    """What came of it."""

    contender: str
    course: Course
    books: Books
    seen: State
    """The emulator's books."""
    whole: int
    """Objects of the right size in the bucket."""
    emulator_cpu: float
    """Seconds of processor time that the emulator used meanwhile."""
    store_cpu: float
    highest_mb: float
    """The most that each of its processes had in memory (RSS) until all was done, added up."""

    @property
    def faults(self) -> list[str]:
        """Why the work is not what was asked for."""
        jobs = self.course.jobs
        told = (
            (self.books.done, "jobs done"),
            (self.seen.billed_calls, "calls billed"),
            (self.whole, "objects stored whole"),
        )
        return [f"{self.contender}: {found} {what} of {jobs}" for found, what in told if found != jobs]


@contextmanager
def started(contender: Contender, scene: Scene, name: str, processes: int, slots: int) -> Iterator[list[Measured]]:
    """Its programs, ready for work; `slots` in each process. What is still there in the end is killed."""
    environment = contender.environment(scene, slots)
    with ExitStack() as stack:
        crew = contender.crew(processes, slots)
        up = [
            stack.enter_context(Measured(f"{name}-{number}", program.command, scene.folder, environment))
            for number, program in enumerate(crew)
        ]
        for program, process in zip(crew, up, strict=True):
            process.await_line(program.ready, times=program.times)
        yield up


def race(
    contender: Contender,
    shared: Services,
    config: EmulatorConfig,
    course: Course,
    at_work: AtWork = lambda _scene, _crew: None,
) -> Outing:
    """On fresh servers, with the light S3."""
    with harness.scene(shared, config, light=True) as scene:
        contender.prepare(scene)
        with started(contender, scene, "worker", course.processes, course.slots_each) as crew:
            servers = scene.emulator.pid, scene.bucket.server.process.pid
            before = [proc.cpu_seconds(pid) for pid in servers]
            # A contender without workers is its own: it has all the slots.
            environment = contender.environment(scene, course.slots_each if crew else course.slots)
            with Measured("producer", contender.submit(course.jobs), scene.folder, environment) as producer:
                at_work(scene, crew or [producer])
                alone = producer.wait(course.patience_seconds)
            _await_done(contender, scene, course)
            pids = [pid for process in crew for pid in proc.session(process.pid)]
            highest = sum(proc.highest_mb(pid) for pid in pids) if pids else alone.peak_mb
            used = [proc.cpu_seconds(pid) - known for pid, known in zip(servers, before, strict=True)]
        whole = sum(size == config.audio_bytes for size in scene.stored().values())
        books, seen = contender.books(scene), scene.emulator.state
        return Outing(contender.name, course, books, seen, whole, used[0], used[1], highest)


def _await_done(contender: Contender, scene: Scene, course: Course) -> None:
    """Until all are done, nothing moves any more, or patience is at an end."""
    now = time.perf_counter()
    deadline, moved, known = now + course.patience_seconds, now, -1
    while contender.books(scene).done < course.jobs and now < min(deadline, moved + SILENCE_SECONDS):
        time.sleep(POLL_SECONDS)
        now, seen = time.perf_counter(), scene.emulator.admin.state(detail=False)
        if seen.in_flight or seen.calls != known:
            moved, known = now, seen.calls
