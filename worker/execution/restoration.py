"""What a restored database lacks: audio that was bought and stored after its backup had been taken.

The store is asked by key for each unfinished job; an object counts only where its metadata name this very job. What is
found ends its job, at the cost that the object records. All else is marked, so that a worker looks in the store and in
its spool before it buys. Its weakness: jobs that were submitted after the backup are unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from api_models.verdict import VerdictKind
from worker.execution import recovery, settlements
from worker.execution.destinations import Destinations
from worker.execution.recovery import Recovered
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.transitions import adoption
from worker.store.transitions import settlement as job_settlement
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

JOBS_AT_A_TIME: Final = 200
THREADS: Final = 16
"""Each question to the store waits for an answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and done unless it was only looked for."""

    unfinished: int = 0
    adopted: int = 0
    """Jobs whose audio the store holds."""
    copies: int = 0
    """Of these, copies of other jobs' audio, which cost nothing."""
    cost: Decimal = Decimal(0)
    """US dollars that the adopted audio has cost, which the ledger did not have."""
    estimated: int = 0
    """Adopted jobs whose cost is the list price, because the API had named none."""
    marked: int = 0
    """Jobs of which the store holds nothing; they may have been bought all the same."""

    def __add__(self, other: Found) -> Found:
        return Found(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Restoration:
    """Goes through the unfinished jobs once. Safe to repeat; no worker may run meanwhile."""

    database: Database
    destinations: Destinations

    def look(self) -> Iterator[Found]:
        """Ask only, and change nothing; a piece at a time. Raises ArtifactsError and SQLAlchemyError."""
        for jobs in self._pages():
            yield self._counted(self._asked(jobs))

    def run(self) -> Iterator[Found]:
        """Adopt what the store holds and mark the rest; a piece at a time. Raises as `look`."""
        me = uuid7()
        for jobs in self._pages():
            asked = self._asked(jobs)
            self._write(asked, me)
            yield self._counted(asked)

    def move_events_ahead(self) -> tuple[int, int]:
        """Leave a gap in the events' numbers: the newest one before it, and the first behind it."""
        with self.database.begin() as connection:
            return events.move_ahead(connection, now=self.database.now(connection))

    def _pages(self) -> Iterator[list[Claim]]:
        after = UUID(int=0)
        while True:
            with self.database.read() as connection:
                now = self.database.now(connection)
                jobs = adoption.unfinished(connection, after=after, most=JOBS_AT_A_TIME, now=now)
            if not jobs:
                return
            yield jobs
            after = jobs[-1].job_id

    def _asked(self, jobs: Sequence[Claim]) -> list[tuple[Claim, Recovered | None]]:
        destinations = [self.destinations.for_claim(job) for job in jobs]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="ttsq-restore") as pool:
            return list(zip(jobs, pool.map(recovery.stored_for, jobs, destinations), strict=True))

    def _write(self, asked: Sequence[tuple[Claim, Recovered | None]], me: UUID) -> None:
        with self.database.begin() as connection:
            now = self.database.now(connection)
            adoption.mark(connection, [job.job_id for job, found in asked if found is None])
            for job, found in asked:
                if found is None:
                    continue
                claim = adoption.take_over(connection, job, found.source, found.content, by=me, now=now)
                if claim is not None:
                    job_settlement.settle(connection, claim, _settlement(claim, found), now=now)

    @staticmethod
    def _counted(asked: Sequence[tuple[Claim, Recovered | None]]) -> Found:
        ended = [(found, _settlement(job, found)) for job, found in asked if found is not None]
        return Found(
            unfinished=len(asked),
            adopted=len(ended),
            copies=sum(found.is_copy for found, _ in ended),
            cost=sum((settlement.cost for _, settlement in ended), Decimal(0)),
            estimated=sum(settlement.cost_estimated for _, settlement in ended),
            marked=len(asked) - len(ended),
        )


def _settlement(claim: Claim, found: Recovered) -> Settlement:
    verdict = VerdictKind.CACHED if found.is_copy else VerdictKind.SUCCESS
    return settlements.succeeded(claim, found.audio, found.receipt, verdict=verdict, source=found.source)
