"""Whether calls grow with worker processes, and what the one dispatcher needs meanwhile."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.plots import Lines, Series
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.processes import WorkerProcess
from tests.cluster.services import own_services
from tests.cluster.shape import Shape, StoreKind
from tests.cluster.waiting import wait_for
from worker.emulator.config import EmulatorConfig

TOLERANCE: Final = 0.05
FULL_SHARE: Final = 0.95
"""Of the slots in use, the run counts as in full swing."""
RAMP_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    most: int = 8
    """Worker processes, from one on and doubled each time."""
    slots: int = 25
    """Of each."""
    latency: float = 2.0
    """Seconds a call takes, more or less by 30 %."""
    seconds: float = 8.0
    """Measured, once all slots are in use."""

    @property
    def counts(self) -> list[int]:
        """1, 2, 4, …"""
        return [2**power for power in range(self.most.bit_length())]

    def shape(self, workers: int) -> Shape:
        """As the cluster takes it."""
        return Shape(
            workers,
            self.slots,
            latency_seconds=self.latency,
            emulator=EmulatorConfig(audio_bytes=24_044, jitter=0.3),
            store=StoreKind.FOLDER,
            settings={"SEGMIND_RPM": "unlimited"},
        )


FULL: Final = Knobs(seconds=30.0)


@dataclass(frozen=True, slots=True)
class Grown:
    """Measurements with one number of workers."""

    workers: int
    per_second: float
    """Calls that began."""
    holders: int
    """Different workers that held the dispatcher's lease."""
    led: dict[str, Any]
    """The statistics that the leader logs when its leadership ends."""
    led_seconds: float

    @property
    def cpu_share(self) -> float:
        """Of one core, that the dispatcher's thread used."""
        return float(self.led["cpu_seconds"]) / self.led_seconds


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """A cluster for each number of workers, all on the same servers."""
    found = []
    with own_services(knobs.shape(1)) as services:
        for workers in knobs.counts:
            with Cluster(knobs.shape(workers), services) as cluster:
                found.append(_grown(cluster, workers, knobs))
            say(f"{workers} workers: {found[-1].per_second:.1f} calls a second")
    return _report(knobs, found)


def _grown(cluster: Cluster, workers: int, knobs: Knobs) -> Grown:
    slots = workers * knobs.slots
    lines = int(slots / knobs.latency * (knobs.seconds + RAMP_SECONDS))
    leader, led_from = cluster.wait_for_leader(), time.monotonic()
    cluster.submit([text(line) for line in range(lines)])
    admin = cluster.emulator.admin
    wait_for(
        lambda: admin.state(detail=False).in_flight >= FULL_SHARE * slots,
        seconds=PATIENCE_SECONDS,
        what="all slots in use",
    )
    time.sleep(knobs.latency)  # the first wave of calls, begun together, has spread
    begin, holders = time.time(), set()
    while time.time() < begin + knobs.seconds:
        holders.add(cluster.seen.leader())
        time.sleep(POLL_SECONDS)
    end = time.time()
    began = [at for at in admin.state().admitted_at if begin <= at < end]
    leader.send(signal.SIGTERM)
    led = wait_for(lambda: _led(leader), seconds=PATIENCE_SECONDS, what="the leader's statistics")
    return Grown(workers, len(began) / (end - begin), len(holders), led, time.monotonic() - led_from)


def _led(leader: WorkerProcess) -> dict[str, Any] | None:
    """The line that a leader leaves behind."""
    lines = (line for line in leader.log.splitlines() if '"event": "leadership_ended"' in line)
    return next((json.loads(line) for line in lines), None)


def _report(knobs: Knobs, found: list[Grown]) -> Report:
    one, last = found[0].per_second, found[-1]
    ideal = knobs.slots / knobs.latency
    worst = min(each.per_second / (each.workers * one) for each in found)
    return Report(
        name="growth",
        title=(
            f"1 to {knobs.most} workers with {knobs.slots} slots on PostgreSQL and Redis, {knobs.latency:g} s a call,"
            " no rate limit"
        ),
        columns=(
            "workers",
            "calls/s",
            "of slots / latency",
            "of 1 worker's share",
            "leaders",
            "dispatcher's CPU %",
            "tick ms",
            "longest tick ms",
            "ticks/s",
        ),
        rows=[
            (
                str(each.workers),
                each.per_second,
                each.per_second / (each.workers * ideal),
                each.per_second / (each.workers * one),
                each.holders,
                100 * each.cpu_share,
                float(each.led["tick_ms"]),
                float(each.led["longest_tick_ms"]),
                each.led["ticks"] / each.led_seconds,
            )
            for each in found
        ],
        findings=[
            f"{last.workers} workers begin {last.per_second / one:.2f} times as many calls as one",
            f"none has less than {worst:.3f} of its share (target: {1 - TOLERANCE:g})",
            f"one dispatcher led; at {last.per_second:.0f} starts a second it took {last.cpu_share:.1%} of a core",
        ],
        faults=[
            f"{each.workers} workers: {each.holders} held the dispatcher's lease" for each in found if each.holders != 1
        ],
        plot=Lines(
            "worker processes",
            "calls begun a second",
            [
                Series("measured", [(each.workers, each.per_second) for each in found]),
                Series("slots / latency", [(each.workers, each.workers * ideal) for each in found], peer=True),
            ],
        ),
    )
