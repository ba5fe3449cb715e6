"""Finds audio stored after the backup of a restored database was taken.

Each unfinished job's key is looked up in the store; an object counts only if its metadata names the job. Such a job
succeeds, at the cost that the object records. Refused takes of the job that lie beside it are recorded as well, and end
the job where they used up its takes. Other jobs are marked, so that a worker checks the store and its spool before it
buys. Limitation: jobs submitted after the backup are unknown, and so are refused takes that were inaudible.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.execution import recovery, refused_takes, settlements
from worker.execution.destinations import Destination, Destinations
from worker.execution.recovery import Recovered
from worker.execution.refused_takes import Taken
from worker.execution.settlements import AttemptLimits
from worker.segmind import verdicts
from worker.segmind.answers import Answer
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.transitions import adoption
from worker.store.transitions import settlement as job_settlement
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

JOBS_AT_A_TIME: Final = 200
THREADS: Final = 16
"""Concurrent requests to the store."""


_NO_BACKOFF: Final = random.Random(0)  # noqa: S311 - a refused take waits for nothing


@dataclass(frozen=True, slots=True)
class Found:
    unfinished: int = 0
    adopted: int = 0
    """Jobs whose audio is in the store."""
    copies: int = 0
    """Of these, copies of other jobs' audio, at no cost."""
    cost: Decimal = Decimal(0)
    """US dollars for adopted audio missing from the ledger."""
    estimated: int = 0
    """Adopted jobs billed at list price, because the API reported no cost."""
    refused: int = 0
    """Refused takes of these jobs, which the ledger lacked."""
    given_up: int = 0
    """Jobs that ended by them."""
    marked: int = 0
    """Jobs without a stored object; they may have been bought all the same."""

    def __add__(self, other: Found) -> Found:
        return Found(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Evidence:
    job: Claim
    audio: Recovered | None
    takes: Sequence[Taken]
    """Refused ones that the ledger lacks, the earliest first."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """Processes the unfinished jobs once. Safe to repeat. No worker may run meanwhile."""

    database: Database
    destinations: Destinations
    limits: AttemptLimits
    _folders: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Keys of refused takes by store and folder."""

    def look(self) -> Iterator[Found]:
        """Dry run, page by page. Raises ArtifactsError and SQLAlchemyError."""
        for jobs in self._pages():
            yield self._counted(self._found(jobs))

    def run(self) -> Iterator[Found]:
        """Adopt stored audio and mark the rest, page by page. Raises like `look`."""
        me = uuid7()
        for jobs in self._pages():
            found = self._found(jobs)
            self._write(found, me)
            yield self._counted(found)

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

    def _found(self, jobs: Sequence[Claim]) -> list[Evidence]:
        destinations = [self.destinations.for_claim(job) for job in jobs]
        with self.database.read() as connection:
            known = adoption.known_takes(connection, [job.job_id for job in jobs])
        for destination in destinations:
            self._list(destination)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="ttsq-restore") as pool:
            audio = pool.map(recovery.stored_for, jobs, destinations)
            takes = pool.map(self._takes, jobs, destinations)
            return [
                Evidence(job, stored, [take for take in refused if take.uri not in known])
                for job, stored, refused in zip(jobs, audio, takes, strict=True)
            ]

    def _list(self, destination: Destination) -> None:
        folder, _ = destination.refused_stem
        place = destination.store.url, folder
        if place not in self._folders:
            self._folders[place] = destination.store.keys_in(folder)

    def _takes(self, job: Claim, destination: Destination) -> list[Taken]:
        folder, _ = destination.refused_stem
        return refused_takes.taken_before(job, destination, self._folders[destination.store.url, folder])

    def _write(self, found: Sequence[Evidence], me: UUID) -> None:
        with self.database.begin() as connection:
            now = self.database.now(connection)
            for one in found:
                job = self._record_takes(connection, one, me, now)
                if job is None or one.audio is None:
                    continue
                claim = adoption.take_over(connection, job, one.audio.source, one.audio.content, by=me, now=now)
                if claim is not None:
                    job_settlement.settle(connection, claim, _settlement(claim, one.audio), now=now)
            adoption.mark(connection, [one.job.job_id for one in found if one.audio is None])

    def _record_takes(self, connection: Connection, found: Evidence, me: UUID, now: datetime) -> Claim | None:
        """Add the refused takes to the ledger. Returns the job as it is now; None if it ended, or has changed."""
        job = found.job
        for take in found.takes:
            claim = adoption.take_over(connection, job, take.attempt, "", by=me, now=now)
            if claim is None:
                return None
            settlement = self._refusal(claim, take, now)
            if found.audio is not None:
                settlement = replace(settlement, status=JobStatus.QUEUED)
            job_settlement.settle(connection, claim, settlement, now=now)
            if settlement.status is JobStatus.FAILED:
                return None
            job = replace(claim, takes_used=claim.takes_used + 1)
        return job

    def _refusal(self, claim: Claim, take: Taken, now: datetime) -> Settlement:
        answer = Answer(200, cost=take.receipt.cost, request_id=take.receipt.request_id)
        verdict = verdicts.bad_take(answer, take.finding)
        ended = settlements.unsuccessful(claim, verdict, answer, self.limits, now=now, rng=_NO_BACKOFF)
        return replace(ended, take_uri=take.uri)

    def _counted(self, found: Sequence[Evidence]) -> Found:
        ended = [(one.audio, _settlement(one.job, one.audio)) for one in found if one.audio is not None]
        models = [(one.job.speech.model, take) for one in found for take in one.takes]
        takes = [settlements.cost_of(model, take.receipt.cost, billed=True) for model, take in models]
        given_up = sum(one.audio is None and self._is_used_up(one) for one in found)
        return Found(
            unfinished=len(found),
            adopted=len(ended),
            copies=sum(audio.is_copy for audio, _ in ended),
            cost=sum((settlement.cost for _, settlement in ended), sum((take.amount for take in takes), Decimal(0))),
            estimated=sum(settlement.cost_estimated for _, settlement in ended) + sum(it.estimated for it in takes),
            refused=len(takes),
            given_up=given_up,
            marked=len(found) - len(ended) - given_up,
        )

    def _is_used_up(self, found: Evidence) -> bool:
        return bool(found.takes) and found.job.takes_used + len(found.takes) >= self.limits.max_takes


def _settlement(claim: Claim, found: Recovered) -> Settlement:
    verdict = VerdictKind.CACHED if found.is_copy else VerdictKind.SUCCESS
    return settlements.succeeded(claim, found.audio, found.receipt, verdict=verdict, source=found.source)
