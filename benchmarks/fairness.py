"""Single jobs behind a huge batch: how long they wait for a slot while all are taken, without and with priority."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from api_models.speech import JobRequest
from api_models.status import JobStatus
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from worker import producer
from worker.emulator.config import EmulatorConfig
from worker.store.tables.jobs import Job

PATIENCE_SECONDS = 120.0
INTERACTIVE = 5
MARGIN_SECONDS = 1.0
INTERACTIVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    bulk: int = 5_000
    """Lines of the batch that runs all the time."""
    singles: int = 40
    """Jobs of another tenant, of each kind."""
    gap: float = 0.25
    """Seconds between two of them."""
    workers: int = 2
    slots: int = 20
    """Of each worker."""
    latency: float = 2.0
    """Seconds a call takes: one slot's turn."""

    def shape(self) -> Shape:
        """As the cluster takes it."""
        emulator = EmulatorConfig(audio_bytes=24_044, jitter=0.3)
        return Shape(
            self.workers,
            self.slots,
            latency_seconds=self.latency,
            emulator=emulator,
            settings={"SEGMIND_RPM": "unlimited"},
        )


FULL = Knobs(bulk=100_000, singles=200)


@dataclass(frozen=True, slots=True)
class Waits:
    """Waits of one kind of jobs, from submission to the start of their calls, in seconds, ascending."""

    seconds: Sequence[float]

    def at(self, share: float) -> float:
        """The quantile `share` (0 to 1) of the waits."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One cluster; the batch runs from before the first single job to after the last."""
    shape = knobs.shape()
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        batch = cluster.submit([text(line) for line in range(1, knobs.bulk + 1)])
        wait_for(lambda: _full(cluster, knobs), seconds=PATIENCE_SECONDS, what="all slots in use")
        plain = _waits(cluster, knobs, priority=0)
        say(f"of equal priority: {plain.at(0.5):.2f} s, at most {plain.at(1):.2f} s")
        first = _waits(cluster, knobs, priority=INTERACTIVE, most=1)
        urgent = _waits(cluster, knobs, priority=INTERACTIVE)
        say(f"interactive: {urgent.at(0.5):.2f} s, at most {urgent.at(1):.2f} s")
        left = cluster.counts(batch).of(JobStatus.QUEUED)
    return _report(knobs, {"equal priority": plain, "the first interactive": first, "interactive": urgent}, left)


def _full(cluster: Cluster, knobs: Knobs) -> bool:
    return cluster.emulator.admin.state(detail=False).in_flight >= knobs.workers * knobs.slots


def _waits(cluster: Cluster, knobs: Knobs, *, priority: int, most: int | None = None) -> Waits:
    jobs: list[UUID] = []
    for number in range(most or knobs.singles):
        request = JobRequest(
            text=text(-number - 1_000 * priority - (1 if most else 0)), priority=priority, cache="bypass"
        )
        with cluster.database.begin() as connection:
            jobs.append(
                producer.enqueue(connection, request, tenant="another tenant", origin=cluster.emulator.base_url)
            )
        time.sleep(knobs.gap)

    def started() -> list[float]:
        columns = (Job.created_at, Job.started_at)
        with cluster.database.read() as connection:
            rows = connection.execute(select(*columns).where(Job.id.in_(jobs), Job.started_at.is_not(None))).all()
        return sorted((begun - made).total_seconds() for made, begun in rows if begun) if len(rows) == len(jobs) else []

    return Waits(wait_for(started, seconds=PATIENCE_SECONDS, what="all of them started"))


def _report(knobs: Knobs, waits: dict[str, Waits], left: int) -> Report:
    bounds = {
        "equal priority": knobs.latency + MARGIN_SECONDS,
        "the first interactive": INTERACTIVE_SECONDS,
        "interactive": INTERACTIVE_SECONDS,
    }
    slow = [
        f"{kind}: a job waited {found.at(1):.2f} s, over {bounds[kind]:g} s"
        for kind, found in waits.items()
        if found.at(1) > bounds[kind]
    ]
    return Report(
        name="fairness",
        title=(
            f"single jobs beside a batch of {knobs.bulk:,} on PostgreSQL and Redis; {knobs.workers} workers with"
            f" {knobs.slots} slots, all in use, {knobs.latency:g} s a call"
        ),
        columns=("", "jobs", "median s", "p95 s", "longest s", "bound s"),
        rows=[
            (kind, len(found.seconds), found.at(0.5), found.at(0.95), found.at(1), bounds[kind])
            for kind, found in waits.items()
        ],
        findings=["waits from the producer's commit to the claim; the bound is one slot's turn and a second, or 2 s"],
        faults=slow + ([] if left else ["the batch was over before the last job had started"]),
        plot=Bars(
            ("median s", "p95 s", "longest s"), axis="s from the commit to the claim", target="bound s", aim="at most"
        ),
    )
