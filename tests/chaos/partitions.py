"""One worker loses one service after another, in silence, while the others go on; then another worker does.

Where the machine permits it, each worker has a network namespace of its own, and its cable to the service is unplugged:
packets are lost, as between two hosts. Elsewhere its relay freezes, which shows all but what lost packets alone bring.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tests.chaos import figures, judging, report
from tests.chaos.cluster_harness import Setting, Stage, on_stage
from tests.chaos.event_timeline import Happening, Kill
from tests.chaos.history import AttemptEnd
from tests.chaos.hosts import Host
from tests.chaos.judging import Judgement
from tests.chaos.services import Service
from tests.chaos.violations import Breach, Violation
from tests.chaos.waiting import await_success, pass_time
from tests.cluster import namespaces
from tests.cluster.waiting import wait_for

CUT_SECONDS: Final = 30.0
"""Longer than any heartbeat may be missing, and than TCP takes to give a connection up."""
CALM_SECONDS: Final = 8.0
CUTS: Final = (
    (Service.DATABASE, True),
    (Service.DATABASE, False),
    (Service.BROKER, True),
    (Service.BROKER, False),
    (Service.STORE, False),
    (Service.API, True),
)
"""Who loses what: the dispatcher's host, or another one."""
WORST_SECONDS: Final = 60.0
"""From the end of a partition to the first job that the worker began after it and recorded."""
WORST_GAP_SECONDS: Final = 20.0
"""Without a success of the others, who must go on meanwhile."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One that took place."""

    happening: Happening
    worker_id: UUID | None
    in_hand: Kill
    """The jobs that the worker held when it began."""


def run(*, seed: int, api: str) -> bool:
    """Whether nothing was broken, the others went on, and each worker came back in time. Nothing is at random."""
    apart = namespaces.available()
    print(f"partitions (seed {seed}), {'each worker in a network of its own' if apart else 'by relays: no namespaces'}")
    with on_stage(Setting(api=api, apart=apart)) as stage:
        partitions = [_separate(stage, service, leader=leader) for service, leader in CUTS]
        judgement = judging.judge(stage)
        judgement = judging.with_more(judgement, stage, list(_faults(partitions, judgement)))
        report.tell("partitions", stage.chronicle, judgement)
        for partition in partitions:
            _tell(partition, judgement)
    return not judgement.violations


def _separate(stage: Stage, service: Service, *, leader: bool) -> Partition:
    pass_time(stage, CALM_SECONDS)
    host = _one(stage, leader=leader)
    worker_id, in_hand = host.worker_id(), host.in_hand()
    name = f"{host.name}{' (leads)' if in_hand.led else ''} without the {service}"
    print(f"  {name}", flush=True)
    with stage.chronicle.happening(name, host.name) as happening:
        host.part_from(service)
        pass_time(stage, CUT_SECONDS)
        host.join_to(service)
    assert happening.ended is not None
    await_success(stage, happening.ended, worker_id)
    return Partition(happening, worker_id, in_hand)


def _one(stage: Stage, *, leader: bool) -> Host:
    """The host that dispatches, or one that doesn't."""
    leads = wait_for(stage.leader, seconds=CALM_SECONDS, what="a leader")
    return leads if leader else next(host for host in stage.hosts if host is not leads)


def _came_back(partition: Partition, judgement: Judgement) -> float | None:
    assert partition.happening.ended is not None
    own = [row for row in judgement.history.attempts if row.worker_id == partition.worker_id]
    return figures.starts_again(own, partition.happening.ended)


def _gap_of_others(partition: Partition, attempts: list[AttemptEnd]) -> float:
    others = [row for row in attempts if row.worker_id != partition.worker_id]
    return figures.longest_gap(others, partition.happening.began, _end(partition))


def _end(partition: Partition) -> datetime:
    assert partition.happening.ended is not None
    return partition.happening.ended


def _faults(partitions: list[Partition], judgement: Judgement) -> Iterator[Violation]:
    for partition in partitions:
        back, gap = _came_back(partition, judgement), _gap_of_others(partition, list(judgement.history.attempts))
        if back is None or back > WORST_SECONDS:
            yield Violation(Breach.TOO_SLOW, f"{partition.happening.what}: {back} s until it worked again")
        if gap > WORST_GAP_SECONDS:
            yield Violation(Breach.TOO_SLOW, f"{partition.happening.what}: the others did nothing for {gap:.1f} s")


def _tell(partition: Partition, judgement: Judgement) -> None:
    back, gap = _came_back(partition, judgement), _gap_of_others(partition, list(judgement.history.attempts))
    again = "never" if back is None else f"{back:.1f} s"
    print(f"  {partition.happening.what}: longest gap of the others {gap:.1f} s, back at work {again} after its end")
