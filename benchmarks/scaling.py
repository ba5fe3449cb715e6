"""How far one dispatcher reaches: its CPU at 500 starts a second, the most that it starts, and 100,000 slots.

The dispatcher, its statements and its messages are the real ones; the workers are rows, and what they would do is done
by a statement for all of them at once between two ticks. No audio, no API: this is the dispatcher's side alone.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import text

from benchmarks import stock
from benchmarks.driving import Driven
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.stock import Lot, OnDisk
from tests.servers.valkey import Valkey
from worker.dispatch.tick import GATHER_SECONDS
from worker.store import schema
from worker.store.database import Database
from worker.store.queries import counters
from worker.store.queries import jobs as job_queries
from worker.store.transitions import dispatches, followers
from worker.telemetry import logs

STEADY: Final = 500
"""Starts a second."""
CALL_SECONDS: Final = 18
LOOKS: Final = 5
"""At each part of a tick by itself."""
TICKS_PER_SECOND: Final = 10


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is simulated."""

    rows: int = 300_000
    """Jobs that wait."""
    seconds: float = 10.0
    """Of 500 starts a second, by the clock."""
    ticks: int = 12
    """As fast as they go, in the other scenes."""
    starts: int = 1_000
    """A tick, in those."""
    workers: int = 100
    slots: int = 1_000
    """Of each worker."""


FULL: Final = Knobs(rows=10_000_000, seconds=60.0, ticks=40)


@dataclass(slots=True)
class Scene:
    """What was seen of some ticks."""

    name: str
    in_flight: int
    seconds: float = 0.0
    """By the clock, waits included."""
    ticks: list[float] = field(default_factory=list)
    """The seconds of each."""
    starts: int = 0
    cpu: float = 0.0
    """Seconds of the dispatcher's own thread."""
    server_cpu: float = 0.0
    """Seconds of PostgreSQL's process that serves it."""
    log_bytes: int = 0
    """Of PostgreSQL's write-ahead log, for the ticks and for what the workers do, full pages left out."""
    parts: dict[str, float] = field(default_factory=dict)
    """Milliseconds of parts of a tick, by themselves."""

    @property
    def rate(self) -> float:
        """Starts in a second of ticks."""
        return self.starts / sum(self.ticks)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Three scenes over one queue."""
    with OnDisk() as postgres, Valkey() as valkey, logs.silenced():
        url = postgres.create_database("scaling")
        with closing(Database(url, connections=1)) as database:
            schema.upgrade(database)
            stock.add(database, Lot(1, knobs.rows, is_over=False))
            say(f"{knobs.rows:,} jobs wait")
            few = -(-STEADY * CALL_SECONDS // knobs.slots)
            scenes = [
                _scene(f"{STEADY} starts a second", database, valkey, few, knobs, paced=True),
                _scene("as fast as it goes", database, valkey, few, knobs, paced=False),
                _scene("all slots", database, valkey, knobs.workers, knobs, paced=False),
            ]
    for scene in scenes:
        say(f"{scene.name}: {1_000 * statistics.median(scene.ticks):.1f} ms a tick, {scene.parts}")
    return _report(knobs, scenes)


def _scene(name: str, database: Database, valkey: Valkey, workers: int, knobs: Knobs, *, paced: bool) -> Scene:
    driven = Driven(database, valkey, workers, knobs.slots)
    _fill(driven)
    scene = Scene(name, workers * knobs.slots)
    server = _server_process(database)
    server_before, log_before, began = _cpu_of(server), _log_position(database), time.perf_counter()
    ends = STEADY // TICKS_PER_SECOND if paced else knobs.starts
    for number in range(int(knobs.seconds * TICKS_PER_SECOND) if paced else knobs.ticks):
        due = began + number / TICKS_PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()) if paced else 0.0)
        driven.end(ends)
        driven.beat()
        cpu_before = time.thread_time()
        jobs, seconds = driven.tick()
        scene.cpu += time.thread_time() - cpu_before
        scene.ticks.append(seconds)
        scene.starts += len(jobs)
        driven.claim_all()
    scene.seconds = time.perf_counter() - began
    scene.server_cpu = _cpu_of(server) - server_before
    scene.log_bytes = _log_position(database) - log_before
    scene.parts = _parts(database)
    _empty(driven)
    return scene


def _fill(driven: Driven) -> None:
    """Tick until no slot is free or no job is queued."""
    while True:
        driven.beat()
        jobs, _ = driven.tick()
        if not jobs:
            return
        driven.claim_all()


def _empty(driven: Driven) -> None:
    """All calls have ended, and are read."""
    driven.claim_all()
    driven.end(driven.workers * driven.slots * 2)
    with driven.database.begin() as connection:
        connection.execute(text("UPDATE attempts SET noted = true WHERE NOT noted"))
    driven.leave()


def _parts(database: Database) -> dict[str, float]:
    """What a tick reads of all that is in flight or waits, in milliseconds."""
    looks: dict[str, Callable[[], object]] = {}
    with database.begin() as connection:
        looks["slots"] = lambda: job_queries.in_flight_by_worker(connection)
        looks["lanes"] = lambda: dispatches.lanes(connection, most=250)
        looks["first look"] = lambda: followers.in_flight(connection)
        looks["fold"] = lambda: counters.fold(connection)
        return {name: 1_000 * statistics.median(_timed(look) for _ in range(LOOKS)) for name, look in looks.items()}


def _timed(look: Callable[[], object]) -> float:
    began = time.perf_counter()
    look()
    return time.perf_counter() - began


def _server_process(database: Database) -> int:
    """PostgreSQL's process at the other end of the dispatcher's only connection."""
    with database.read() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _log_position(database: Database) -> int:
    """How many bytes of write-ahead log there have been."""
    with database.read() as connection:
        return int(connection.execute(text("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")).scalar_one())


def _cpu_of(pid: int) -> float:
    """The CPU seconds that a process has used so far, by Linux's own books."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(knobs: Knobs, scenes: list[Scene]) -> Report:
    steady, fast, all_slots = scenes
    share = 100 * steady.cpu / steady.seconds
    server_share = 100 * steady.server_cpu / steady.seconds
    steadily = (
        f"at {steady.starts / steady.seconds:,.0f} starts a second the dispatcher takes {share:.0f} % of a core,"
        f" PostgreSQL {server_share:.0f} % of one for it"
    )
    at_most = (
        f"ticks of {fast.starts / len(fast.ticks):,.0f} starts one after the other: {fast.rate:,.0f} a second;"
        f" with the {1_000 * GATHER_SECONDS:.0f} ms that it leaves between two: {_with_gaps(fast):,.0f}"
    )
    with_all = (
        f"{knobs.workers} workers with {knobs.slots:,} slots: {_with_gaps(all_slots):,.0f} a second;"
        f" of a tick, counting what is in flight takes {all_slots.parts['slots']:.0f} ms,"
        f" finding the lanes {all_slots.parts['lanes']:.0f};"
        f" a new leader's first look at what is bought {all_slots.parts['first look']:.0f} ms"
    )
    return Report(
        name="scaling",
        title=f"One dispatcher, {knobs.rows:,} jobs waiting in 100 batches of 10 tenants; workers are simulated",
        columns=(
            "",
            "in flight",
            "starts a tick",
            "tick ms",
            "CPU ms a start",
            "PostgreSQL's",
            "starts/s of ticks alone",
        ),
        rows=[
            (
                scene.name,
                scene.in_flight,
                scene.starts / len(scene.ticks),
                1_000 * statistics.median(scene.ticks),
                1_000 * scene.cpu / scene.starts,
                1_000 * scene.server_cpu / scene.starts,
                scene.log_bytes / 1_000 / scene.starts,
                scene.rate,
            )
            for scene in scenes
        ],
        findings=[steadily, at_most, with_all],
        faults=[f"{scene.name}: nothing was started" for scene in scenes if not scene.starts],
        rounds=[{"scene": scene.name, **scene.parts} for scene in scenes],
        plot=Bars(("tick ms",), axis="ms a tick"),
    )


def _with_gaps(scene: Scene) -> float:
    """Starts a second, with the pause that the dispatcher makes after each tick."""
    return scene.starts / (sum(scene.ticks) + len(scene.ticks) * GATHER_SECONDS)
