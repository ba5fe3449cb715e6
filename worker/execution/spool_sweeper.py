"""Cleans the spool of finished attempts, after recording unrecorded costs.

A worker that crashed after a call leaves its answer here and an attempt without a cost in the ledger. The job may
continue on another machine, or have failed with no next attempt.

Answers of unknown jobs are kept, because the database may be restored or the wrong one. An operator removes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import structlog

from api_models.status import TERMINAL, JobStatus
from worker.execution import settlements
from worker.execution.spool import Spool
from worker.store.database import Database
from worker.store.transitions import adoption, billing, claims
from worker.store.transitions.billing import Lost

REST_SECONDS: Final = 60.0
"""Minimum age before deletion: a worker that shares the folder may record late."""

CHARGES_PER_POLL: Final = 100
"""Bounds the time that a sweep takes from the heartbeat thread."""
ROWS_PER_STATEMENT: Final = 500

WAITING: Final = frozenset({JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED})

log = structlog.get_logger("ttsq.execution")

Answers = Mapping[UUID, Sequence[Path]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SpoolSweeper:
    database: Database
    spool: Spool
    in_hand: Callable[[], frozenset[UUID]]
    """The jobs that are running in this process."""
    clock: Callable[[], float] = time.time
    _reported: set[UUID] = field(default_factory=set)
    """Unknown jobs already logged."""

    def run_once(self) -> None:
        """Record unrecorded costs and delete answers of finished jobs. Raises SQLAlchemyError."""
        self.spool.adopt()
        found = self.spool.answers()
        at_work = self.in_hand() if found else frozenset()
        remaining = {job_id: paths for job_id, paths in found.items() if job_id not in at_work}
        if remaining:
            self._charge(remaining)
            self._discard(remaining)

    def _charge(self, remaining: Answers) -> None:
        answers = ((job_id, self.spool.with_receipt(path)) for job_id, paths in remaining.items() for path in paths)
        by_attempt = {(job_id, answer.attempt): answer for job_id, answer in answers}
        lost: list[Lost] = []
        with self.database.read() as connection:
            for page in _pages(sorted(by_attempt)):
                lost += billing.lost(connection, page)
        for attempt in lost[:CHARGES_PER_POLL]:
            answer = by_attempt[attempt.job_id, attempt.number]
            bill = settlements.bill_for(attempt.model, answer.receipt)
            with self.database.begin() as connection:
                paid = billing.charge_lost(
                    connection,
                    attempt,
                    cost=bill.cost.amount,
                    estimated=bill.cost.estimated,
                    request_id=bill.request_id,
                    now=self.database.now(connection),
                )
            if paid is not None:
                self.spool.note_charged(answer.path)
                log.info("found_in_spool", job=str(attempt.job_id), attempt=attempt.number, cost=f"{paid:f}")

    def _discard(self, remaining: Answers) -> None:
        known: dict[UUID, JobStatus] = {}
        with self.database.read() as connection:
            for page in _pages(sorted(remaining)):
                known |= claims.statuses(connection, page)
        self._report_unknown(remaining.keys() - known.keys())
        settled = {job_id for job_id, paths in remaining.items() if all(self._has_settled(path) for path in paths)}
        self._mark([job_id for job_id in sorted(settled & known.keys()) if known[job_id] in WAITING])
        for job_id in settled & known.keys():
            if known[job_id] in TERMINAL:
                last = max(self.spool.with_receipt(path).attempt for path in remaining[job_id])
                self.spool.discard(job_id, up_to=last, everywhere=True)

    def _report_unknown(self, unknown: Set[UUID]) -> None:
        fresh = unknown - self._reported
        if fresh:
            self._reported.update(fresh)
            log.warning(
                "spool_answers_unknown",
                jobs=len(unknown),
                first=str(min(fresh)),
                folder=str(self.spool.folder),
                remedy="check TTSQ_DATABASE_URL; they are kept until you remove them",
            )

    def _mark(self, waiting: Sequence[UUID]) -> None:
        """A restored database may not know that these were bought, so their next attempts check the spool first."""
        for page in _pages(waiting):
            with self.database.begin() as connection:
                if marked := adoption.mark(connection, page):
                    log.warning("answers_found_for_queued_jobs", jobs=marked)

    def _has_settled(self, path: Path) -> bool:
        with suppress(FileNotFoundError):
            return self.clock() - path.stat().st_mtime >= REST_SECONDS
        return True


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), ROWS_PER_STATEMENT):
        yield items[start : start + ROWS_PER_STATEMENT]
