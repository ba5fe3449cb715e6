"""A budget that covers a part of a batch: where the spending ends, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from api_models.status import JobStatus
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.money import PRICE, Halt, run_on_a_budget
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 1_000
    dollars: float = 1.0
    workers: int = 2
    slots: int = 50
    """Of each worker."""
    latency: float = 0.5
    """Seconds a call takes, more or less."""
    jitter: float = 0.5
    failing: float = 0.05
    """The part of the calls that end in a server error, unpaid, and are made again."""
    rounds: int = 3

    @property
    def limit(self) -> Decimal:
        """The budget in US dollars."""
        return Decimal(str(self.dollars))

    def shape(self) -> Shape:
        """As the cluster takes it."""
        rules = (Rule(effect=Effect(status=500, message="Internal error"), match=Match(probability=self.failing)),)
        emulator = EmulatorConfig(audio_bytes=24_044, jitter=self.jitter, rules=rules if self.failing else ())
        settings = {"SEGMIND_RPM": "unlimited"}
        return Shape(self.workers, self.slots, latency_seconds=self.latency, emulator=emulator, settings=settings)


FULL = Knobs(jobs=5_000, dollars=10.0, rounds=5)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """The same run a few times, each with fresh servers."""
    halts: list[Halt] = []
    for number in range(1, knobs.rounds + 1):
        shape = knobs.shape()
        with own_services(shape) as services, Cluster(shape, services) as cluster:
            halts.append(run_on_a_budget(cluster, [text(line) for line in range(1, knobs.jobs + 1)], knobs.limit))
        held = halts[-1].held
        say(f"round {number}: ${held.ledger} spent, {held.counts.of(JobStatus.QUEUED)} held")
    return _report(halts, knobs)


def _report(halts: list[Halt], knobs: Knobs) -> Report:
    most = max(halt.held.bill.billed for halt in halts)
    least = min(halt.held.bill.billed for halt in halts)
    return Report(
        name="budget",
        title=(
            f"{knobs.jobs:,} jobs on PostgreSQL, Redis and S3 with a budget of ${knobs.limit}; {knobs.workers} workers"
            f" with {knobs.slots} slots, {knobs.latency:g} s a call, {knobs.failing:.0%} of the calls fail"
        ),
        columns=("", "spent $ when held", "spoken", "held", "failed", "in the end $", "bill $"),
        rows=[
            (
                f"round {number}",
                f"{halt.held.ledger}",
                halt.held.counts.of(JobStatus.SUCCEEDED),
                halt.held.counts.of(JobStatus.QUEUED),
                halt.ended.counts.of(JobStatus.FAILED),
                f"{halt.ended.ledger}",
                f"{halt.ended.bill.billed}",
            )
            for number, halt in enumerate(halts, 1)
        ],
        findings=[
            f"held, the bill stood at ${least} to ${most} (target: at or under ${knobs.limit})",
            "raised, the rest ran; the ledger, the batch's counter and the bill agree to the last digit",
        ],
        faults=[f"round {number}: {fault}" for number, halt in enumerate(halts, 1) for fault in _faults(halt, knobs)],
        plot=Bars(("spent $ when held",), axis="$ spent when held", target=float(knobs.limit), aim="at most"),
    )


def _faults(halt: Halt, knobs: Knobs) -> list[str]:
    faults = []
    if halt.held.bill.billed > knobs.limit:
        faults.append(f"${halt.held.bill.billed} was spent of ${knobs.limit}")
    if halt.held.bill.billed < knobs.limit - 2 * PRICE:
        faults.append(f"only ${halt.held.bill.billed} of ${knobs.limit} was spent")
    if halt.ended.counts.by_status != {JobStatus.SUCCEEDED: knobs.jobs}:
        faults.append(f"it ended with {dict(halt.ended.counts.by_status)}")
    if not halt.held.agree or not halt.ended.agree:
        faults.append(f"the ledger has {halt.ended.ledger}, the bill {halt.ended.bill.billed}")
    return faults
