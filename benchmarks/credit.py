"""Credit that runs out with every slot in use: how many calls are refused, and whether anything is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from api_models.status import JobStatus
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.money import PRICE, Halt, run_dry
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from worker.emulator.config import EmulatorConfig


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 600
    covered: int = 300
    """Calls that the balance pays for before it is topped up."""
    workers: int = 2
    slots: int = 50
    """Of each worker."""
    latency: float = 2.0
    """Seconds a call takes, more or less."""
    jitter: float = 0.5
    rounds: int = 3

    def shape(self) -> Shape:
        """As the cluster takes it."""
        emulator = EmulatorConfig(audio_bytes=48_044, credits=self.covered * PRICE, jitter=self.jitter)
        settings = {"SEGMIND_RPM": "unlimited", "TTSQ_PROBE_SECONDS": "1"}
        return Shape(self.workers, self.slots, latency_seconds=self.latency, emulator=emulator, settings=settings)


FULL = Knobs(jobs=2_000, covered=1_000, rounds=5)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """The same run a few times, each with fresh servers."""
    halts: list[Halt] = []
    for number in range(1, knobs.rounds + 1):
        shape = knobs.shape()
        with own_services(shape) as services, Cluster(shape, services) as cluster:
            halts.append(run_dry(cluster, [text(line) for line in range(1, knobs.jobs + 1)]))
        say(
            f"round {number}: {halts[-1].ended.refused} refused, {halts[-1].ended.bill.max_in_flight} in flight at most"
        )
    return _report(halts, knobs)


def _report(halts: list[Halt], knobs: Knobs) -> Report:
    slots = knobs.workers * knobs.slots
    most = max(halt.ended.refused for halt in halts)
    return Report(
        name="credit",
        title=(
            f"{knobs.jobs} jobs on PostgreSQL, Redis and S3 with credit for {knobs.covered}; {slots} slots,"
            f" {knobs.latency:g} s a call; topped up after two free checks"
        ),
        columns=("", "406s", "in flight at most", "free checks", "spent $ when held", "ledger $", "bill $", "events"),
        rows=[
            (
                f"round {number}",
                halt.ended.refused,
                halt.ended.bill.max_in_flight,
                halt.ended.bill.credit_checks,
                f"{halt.held.ledger}",
                f"{halt.ended.ledger}",
                f"{halt.ended.bill.billed}",
                len(halt.ended.events),
            )
            for number, halt in enumerate(halts, 1)
        ],
        findings=[
            f"at most {most} calls were refused (target: no more than the {slots} in flight, and the probes)",
            "no job failed, none has used up an attempt, and all ended by themselves once the account was topped up",
            "the ledger's sum is the bill, to the last digit",
        ],
        faults=[
            f"round {number}: {fault}" for number, halt in enumerate(halts, 1) for fault in _faults(halt, slots, knobs)
        ],
        plot=Bars(("406s", "in flight at most"), axis="calls"),
    )


def _faults(halt: Halt, slots: int, knobs: Knobs) -> list[str]:
    faults = []
    if halt.ended.refused > slots:
        faults.append(f"{halt.ended.refused} calls were refused with {slots} slots")
    if halt.ended.counts.by_status != {JobStatus.SUCCEEDED: knobs.jobs}:
        faults.append(f"it ended with {dict(halt.ended.counts.by_status)}")
    if halt.attempts_used != {1}:
        faults.append(f"jobs have used up {sorted(halt.attempts_used)} attempts")
    if not halt.held.agree or not halt.ended.agree:
        faults.append(f"the ledger has {halt.ended.ledger}, the bill {halt.ended.bill.billed}")
    if [event.type for event in halt.ended.events if event.subject == "account"].count("account.held") != 1:
        faults.append("the hold was not told once")
    return faults
