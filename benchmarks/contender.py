"""What every contender of a benchmark offers: how it is set up, started, given work, and asked whether it is done."""

from __future__ import annotations

from typing import Protocol

from benchmarks.stage import Scene


class Contender(Protocol):
    """One way to speak many texts over PostgreSQL, Redis and S3."""

    @property
    def name(self) -> str:
        """As it stands in the tables."""

    @property
    def ready(self) -> str:
        """What a worker's log says once it takes work."""

    def prepare(self, scene: Scene) -> None:
        """Make the tables."""

    def environment(self, scene: Scene, slots: int) -> dict[str, str]:
        """Of its workers and of the process that hands in the work."""

    def worker(self, slots: int) -> list[str]:
        """The command of one worker process with this many calls in flight at once."""

    def submit(self, jobs: int) -> list[str]:
        """The command that hands in this many jobs and ends."""

    def done(self, scene: Scene) -> int:
        """How many jobs its own books have as done."""
