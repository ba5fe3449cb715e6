"""Finds audio stored after the backup of a restored database was taken.

Each unfinished job's key is looked up in the store; an object counts only if its metadata names the job. Such a job
succeeds, at the cost that the object records. Other jobs are marked, so that a worker checks the store and its
spool
before it buys. Limitation: jobs submitted after the backup are unknown.
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
"""Concurrent requests to the store."""


@dataclass(frozen=True, slots=True)
class Found:
    """Counts of a restoration, or of its dry run."""

    unfinished: int = 0
    adopted: int = 0
    """Jobs whose audio is in the store."""
    copies: int = 0
    """Of these, copies of other jobs' audio, at no cost."""
    cost: Decimal = Decimal(0)
    """US dollars for adopted audio missing from the ledger."""
    estimated: int = 0
    """Adopted jobs billed at list price, because the API reported no cost."""
    marked: int = 0
    """Jobs without a stored object; they may have been bought all the same."""

    def __add__(self, other: Found) -> Found:
        return Found(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Restoration:
    """Processes the unfinished jobs once. Safe to repeat. No worker may run meanwhile."""

    database: Database
    destinations: Destinations

    def look(self) -> Iterator[Found]:
        """Dry run, page by page. Raises ArtifactsError and SQLAlchemyError."""
        for jobs in self._pages():
            yield self._counted(self._found(jobs))

    def run(self) -> Iterator[Found]:
        """Adopt stored audio and mark the rest, page by page. Raises like `look`."""
        me = uuid7()
        for jobs in self._pages():
            found_by_job = self._found(jobs)
            self._write(found_by_job, me)
            yield self._counted(found_by_job)

    def move_events_ahead(self) -> tuple[int, int]:
        """Leave a gap in the event numbers; return the newest before and the first after it."""
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

    def _found(self, jobs: Sequence[Claim]) -> list[tuple[Claim, Recovered | None]]:
        destinations = [self.destinations.for_claim(job) for job in jobs]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="ttsq-restore") as pool:
            return list(zip(jobs, pool.map(recovery.stored_for, jobs, destinations), strict=True))

    def _write(self, found_by_job: Sequence[tuple[Claim, Recovered | None]], me: UUID) -> None:
        with self.database.begin() as connection:
            now = self.database.now(connection)
            adoption.mark(connection, [job.job_id for job, found in found_by_job if found is None])
            for job, found in found_by_job:
                if found is None:
                    continue
                claim = adoption.take_over(connection, job, found.source, found.content, by=me, now=now)
                if claim is not None:
                    job_settlement.settle(connection, claim, _settlement(claim, found), now=now)

    @staticmethod
    def _counted(found_by_job: Sequence[tuple[Claim, Recovered | None]]) -> Found:
        ended = [(found, _settlement(job, found)) for job, found in found_by_job if found is not None]
        return Found(
            unfinished=len(found_by_job),
            adopted=len(ended),
            copies=sum(found.is_copy for found, _ in ended),
            cost=sum((settlement.cost for _, settlement in ended), Decimal(0)),
            estimated=sum(settlement.cost_estimated for _, settlement in ended),
            marked=len(found_by_job) - len(ended),
        )


def _settlement(claim: Claim, found: Recovered) -> Settlement:
    verdict = VerdictKind.CACHED if found.is_copy else VerdictKind.SUCCESS
    return settlements.succeeded(claim, found.audio, found.receipt, verdict=verdict, source=found.source)
