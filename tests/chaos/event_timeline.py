"""What was done to a cluster, when, and what it did by itself; kept while it happens, from several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID


@dataclass(slots=True)
class Happening:
    """One disturbance that took place."""

    what: str
    whom: str
    began: datetime
    ended: datetime | None = None
    """When it was repaired; None while it lasts."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker that was ended by SIGKILL, and the jobs it held."""

    worker_id: UUID | None
    """None where it had not signed on yet, or the database could not tell."""
    at: datetime
    led: bool
    running: frozenset[tuple[UUID, int]] = frozenset()
    """Jobs that it ran, each with the number of its attempt."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A worker that left by itself."""

    host: str
    at: datetime
    status: int
    signed_on: bool
    """Whether it had come up before. One that hadn't found a service it can't start without."""
    last_words: str


@dataclass(slots=True)
class Chronicle:
    """The record of one run."""

    happenings: list[Happening] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Disturbances that met what another one was at."""
    kills: list[Kill] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    accepted: dict[UUID, int] = field(default_factory=dict)
    """Batches whose transaction was confirmed, and how many jobs each has."""
    trouble: list[str] = field(default_factory=list)
    """What went wrong with the disturbing itself."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def happening(self, what: str, whom: str) -> Iterator[Happening]:
        """Note a disturbance: it lasts as long as the block."""
        happening = Happening(what, whom, datetime.now(UTC))
        with self._lock:
            self.happenings.append(happening)
        try:
            yield happening
        finally:
            happening.ended = datetime.now(UTC)

    def counts(self) -> dict[str, int]:
        """How often each disturbance took place."""
        counts: dict[str, int] = {}
        for happening in self.happenings:
            counts[happening.what] = counts.get(happening.what, 0) + 1
        return counts
