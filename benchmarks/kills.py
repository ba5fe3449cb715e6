"""What kill -9 costs: all workers killed at random moments of a run, over v1 and v2; the bill beside the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.chaos.books import Books
from tests.cluster.cluster import Cluster
from tests.cluster.killing import Killing, Toll, killed_run
from tests.cluster.services import own_services

APIS = ("v2", "v1")


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run, once for each API."""

    jobs: int = 300
    kills: int = 20
    seed: int = 1

    def killing(self, api: str) -> Killing:
        """As the cluster takes it."""
        return Killing(api, jobs=self.jobs, kills=self.kills, seed=self.seed)


FULL = Knobs(jobs=600, kills=40)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Both."""
    return _report({api: _toll(knobs.killing(api), say) for api in APIS}, knobs)


def _toll(killing: Killing, say: Callable[[str], None]) -> Toll:
    texts = [text(number) for number in range(1, killing.jobs + 1)]
    with own_services(killing.shape()) as services, Cluster(killing.shape(), services) as cluster:
        toll = killed_run(cluster, killing, texts, lambda line: say(f"{killing.api}: {line}"))
    say(f"{killing.api}: {toll.again} billed again, {toll.in_doubt} in doubt, {toll.seconds:.0f} s")
    return toll


def _report(tolls: dict[str, Toll], knobs: Knobs) -> Report:
    shape = knobs.killing("v2")
    return Report(
        name="kills",
        title=(
            f"{knobs.jobs} jobs on PostgreSQL, Redis and S3; all {shape.workers} workers killed {knobs.kills} times;"
            f" {shape.latency_seconds:g} s a call, {shape.lost_replies:.0%} of the replies lost (seed {knobs.seed})"
        ),
        columns=(
            *("", "succeeded", "in flight at kills", "attempts lost", "replies lost"),
            *("in doubt", "billed again", "ledger $", "bill $", "s"),
        ),
        rows=[
            (
                api,
                f"{toll.succeeded} of {knobs.jobs}",
                toll.in_flight,
                toll.lost,
                toll.lost_replies,
                toll.in_doubt,
                toll.again,
                f"{_books(toll).charged}",
                f"{_books(toll).billed}",
                toll.seconds,
            )
            for api, toll in tolls.items()
        ],
        findings=[_finding(api, toll) for api, toll in tolls.items()],
        faults=[f"{api}: {fault}" for api, toll in tolls.items() for fault in _faults(api, toll, knobs)],
        plot=Bars(("in flight at kills", "billed again"), axis="calls"),
    )


def _finding(api: str, toll: Toll) -> str:
    unheard = len(_books(toll).unheard)
    return (
        f"{api}: {toll.again} calls billed beyond one a text; the {unheard} that no row names each have an attempt that"
        " may have been billed, and the rest of ledger and bill agree to the last digit"
    )


def _faults(api: str, toll: Toll, knobs: Knobs) -> list[str]:
    faults = list(toll.faults)
    if toll.moments != knobs.kills:
        faults.append(f"it was over after {toll.moments} of {knobs.kills} kills")
    if toll.succeeded != knobs.jobs:
        faults.append(f"{toll.succeeded} of {knobs.jobs} jobs succeeded")
    if api == "v2" and toll.again > len(_books(toll).unheard):
        faults.append(f"{toll.again} billed again, and only {len(_books(toll).unheard)} submissions went unheard")
    if api == "v1" and toll.again > toll.lost + toll.lost_replies:
        faults.append(f"{toll.again} billed again, where {toll.lost} attempts ended with their worker")
    return faults


def _books(toll: Toll) -> Books:
    assert toll.books is not None
    return toll.books
