"""The peers as contenders: how many calls each holds, and the commands from its documentation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks.contender import Books, Contender, Program
from benchmarks.harness import Scene
from benchmarks.peers import books

PACKAGE: Final = "benchmarks.peers"
FORKED: Final = 50
"""Processes of the peers that hold one call in each: some 25 times the cores, and as much memory as a machine of this
size would give them."""


class Pool(StrEnum):
    """Celery's pools."""

    THREADS = "threads"
    GEVENT = "gevent"
    PREFORK = "prefork"


@dataclass(frozen=True, slots=True)
class Kept:
    """What all peers have in common: the table, and a producer that is called by its module's own name."""

    module: str

    def prepare(self, scene: Scene) -> None:
        """Make its table."""
        books.prepare(scene)

    def environment(self, scene: Scene, slots: int) -> dict[str, str]:
        """Where everything is."""
        return books.whereabouts(scene, slots)

    def submit(self, jobs: int) -> list[str]:
        """As a module of that name, not as `__main__`, so that the tasks' names are right."""
        return [sys.executable, "-c", f"from {PACKAGE}.{self.module} import submit; submit({jobs})"]

    def books(self, scene: Scene) -> Books:
        """What its rows say."""
        return books.read(scene)


@dataclass(frozen=True, slots=True)
class Tutorial(Kept):
    """Celery as its "First steps" show it; a worker for each process, or as many children of the prefork pool."""

    module: str = "tutorial"
    pool: Pool = Pool.THREADS

    @property
    def name(self) -> str:
        """As it stands in the tables."""
        return f"tutorial pattern ({self.pool})"

    def held(self, slots: int) -> int:
        """A forked child holds one call."""
        return min(slots, FORKED) if self.pool is Pool.PREFORK else slots

    def crew(self, processes: int, slots: int) -> Sequence[Program]:
        """The command from Celery's documentation."""
        each = self.held(processes * slots) // processes
        # For long tasks, says its guide: else the first of several workers takes more than its share.
        options = ["--pool", self.pool, "--concurrency", str(each), "--prefetch-multiplier", "1", "--loglevel", "INFO"]
        worker = [sys.executable, "-m", "celery", "-A", f"{PACKAGE}.{self.module}", "worker", *options]
        return [Program([*worker, "-n", f"worker{n}@%h"], " ready.") for n in range(1, processes + 1)]


@dataclass(frozen=True, slots=True)
class Dramatiq(Kept):
    """Its command line starts the processes, with threads in each."""

    module: str = "actor"
    name: str = "Dramatiq"

    def held(self, slots: int) -> int:
        """A thread each."""
        return slots

    def environment(self, scene: Scene, slots: int) -> dict[str, str]:
        """Each process takes as many messages as it has threads, and leaves the others to the next."""
        return {**books.whereabouts(scene, slots), "dramatiq_queue_prefetch": str(slots)}

    def crew(self, processes: int, slots: int) -> Sequence[Program]:
        """The command from Dramatiq's guide."""
        command = [sys.executable, "-m", "dramatiq", f"{PACKAGE}.{self.module}"]
        options = ["--processes", str(processes), "--threads", str(slots)]
        return [Program([*command, *options], "Worker process is ready for action.", processes)]


@dataclass(frozen=True, slots=True)
class Rq(Kept):
    """A pool of processes with one job each."""

    module: str = "rq_jobs"
    name: str = "RQ"

    def held(self, slots: int) -> int:
        """A process each."""
        return min(slots, FORKED)

    def crew(self, processes: int, slots: int) -> Sequence[Program]:
        """One pool."""
        workers = self.held(processes * slots)
        command = [sys.executable, "-m", f"{PACKAGE}.{self.module}", str(workers)]
        return [Program(command, "*** Listening on", workers)]


@dataclass(frozen=True, slots=True)
class Bare(Kept):
    """The script without a queue: one process, and no worker beside it."""

    module: str = "bare"
    name: str = "bare asyncio script"

    def held(self, slots: int) -> int:
        """A coroutine each."""
        return slots

    def crew(self, processes: int, slots: int) -> Sequence[Program]:  # noqa: ARG002 - the Protocol's signature
        """It is its own worker."""
        return ()

    def submit(self, jobs: int) -> list[str]:
        """The script itself."""
        return [sys.executable, "-m", f"{PACKAGE}.{self.module}", str(jobs)]


PEERS: Final[dict[str, Contender]] = {
    "threads": Tutorial(),
    "gevent": Tutorial(pool=Pool.GEVENT),
    "prefork": Tutorial(pool=Pool.PREFORK),
    "dramatiq": Dramatiq(),
    "rq": Rq(),
    "bare": Bare(),
}


def chosen(names: str) -> list[Contender]:
    """Those of a knob: `all`, `none`, or names with commas between them.

    Raises ValueError for a name that is none.
    """
    if names in {"all", "none"}:
        return list(PEERS.values()) if names == "all" else []
    unknown = [name for name in names.split(",") if name not in PEERS]
    if unknown:
        raise ValueError(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return [PEERS[name] for name in names.split(",")]
