"""What one contender's processes used in one round, at rest and at work. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.processes import Usage


@dataclass(frozen=True, slots=True)
class Outing:
    """One contender's processes, all ended."""

    seconds: float
    """From the first job submitted to the last one finished."""
    producer: Usage
    workers: Sequence[Usage]
    faults: Sequence[str]

    @property
    def usages(self) -> Sequence[Usage]:
        """Of all that is counted."""
        return (self.producer, *self.workers)

    @property
    def cpu(self) -> float:
        """Seconds, user and system."""
        return sum(used.cpu_seconds for used in self.usages)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender in one round."""

    idle: Outing
    busy: Outing
    jobs: int

    @property
    def raw_ms(self) -> float:
        """Milliseconds a job, start and stop of the processes included."""
        return self.busy.cpu / self.jobs * 1_000

    @property
    def net_ms(self) -> float:
        """Milliseconds a job beyond what the idle processes use."""
        return (self.busy.cpu - self.idle.cpu) / self.jobs * 1_000

    @property
    def producer_ms(self) -> float:
        """The producer's part of the net."""
        return (self.busy.producer.cpu_seconds - self.idle.producer.cpu_seconds) / self.jobs * 1_000

    @property
    def system_share(self) -> float:
        """The kernel's share of the net."""
        system = _system(self.busy) - _system(self.idle)
        return system / max(self.busy.cpu - self.idle.cpu, 1e-9)

    @property
    def switches(self) -> float:
        """Context switches a job."""
        return sum(used.switches for used in self.busy.usages) / self.jobs

    @property
    def peak_mb(self) -> float:
        """Of the largest process."""
        return max(used.peak_mb for used in self.busy.usages)


def _system(outing: Outing) -> float:
    return sum(used.system_seconds for used in outing.usages)
