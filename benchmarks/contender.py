"""What every contender of a race offers: how it is set up, started, given work, and what its own books say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.harness import Scene


@dataclass(frozen=True, slots=True)
class Program:
    """One command that takes work, with whatever processes it starts for that."""

    command: Sequence[str]
    ready: str
    """What its log says once it takes work."""
    times: int = 1
    """How often the log says so, where each of its processes does."""


@dataclass(frozen=True, slots=True)
class Books:
    """What became of the jobs, by a contender's own rows."""

    done: int
    seconds: float
    """From the first job submitted to the last one finished, by the rows' times; 0 if no job finished."""


class Contender(Protocol):
    """One way to speak many texts over PostgreSQL, Redis and S3."""

    @property
    def name(self) -> str:
        """As it stands in the tables."""

    def held(self, slots: int) -> int:
        """How many calls it holds at once, over all its processes, where `slots` are wanted."""

    def prepare(self, scene: Scene) -> None:
        """Make the tables."""

    def environment(self, scene: Scene, slots: int) -> dict[str, str]:
        """Environment variables of its programs and of the submitting process; `slots` is per process."""

    def crew(self, processes: int, slots: int) -> Sequence[Program]:
        """Its programs: `processes` of them where their number can be chosen, with `slots` calls in each.

        Empty if the submitting process also runs the jobs.
        """

    def submit(self, jobs: int) -> list[str]:
        """The command that submits this many jobs and exits."""

    def books(self, scene: Scene) -> Books:
        """How many jobs are done, and in what time."""
