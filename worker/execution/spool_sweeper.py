"""What the spool still holds of attempts that are over. It was paid for, so its cost goes into the books first.

A worker that died after a call left its answer here, and an attempt without a cost in the ledger. Whoever goes on with
the job may never see this machine, and a job that failed with its worker has no next attempt at all.

Answers of jobs that the database doesn't know stay: the database may be a restored or the wrong one. An operator
removes them.
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
"""How long an answer of a job that is over is left alone: a neighbour that shares the folder may come late with it."""

CHARGES_PER_POLL: Final = 100
"""The rest waits for the next look: it is a heartbeat's thread that looks."""
ROWS_PER_STATEMENT: Final = 500

WAITING: Final = frozenset({JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED})

log = structlog.get_logger("ttsq.execution")

Answers = Mapping[UUID, Sequence[Path]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SpoolSweeper:
    """Looks through one spool, at the start and every now and then."""

    database: Database
    spool: Spool
    in_hand: Callable[[], frozenset[UUID]]
    """The jobs that are being worked at here."""
    clock: Callable[[], float] = time.time
    _reported: set[UUID] = field(default_factory=set)
    """Unknown jobs that the log has named."""

    def run_once(self) -> None:
        """Charge what was lost and is here, and drop what is over. Raises SQLAlchemyError."""
        found = self.spool.answers()
        at_work = self.in_hand() if found else frozenset()
        left = {job_id: paths for job_id, paths in found.items() if job_id not in at_work}
        if left:
            self._charge(left)
            self._drop(left)

    def _charge(self, left: Answers) -> None:
        answers = ((job_id, self.spool.with_receipt(path)) for job_id, paths in left.items() for path in paths)
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

    def _drop(self, left: Answers) -> None:
        known: dict[UUID, JobStatus] = {}
        with self.database.read() as connection:
            for page in _pages(sorted(left)):
                known |= claims.statuses(connection, page)
        self._report_unknown(left.keys() - known.keys())
        rested = {job_id for job_id, paths in left.items() if all(self._has_rested(path) for path in paths)}
        self._mark([job_id for job_id in sorted(rested & known.keys()) if known[job_id] in WAITING])
        for job_id in rested & known.keys():
            if known[job_id] in TERMINAL:
                last = max(self.spool.with_receipt(path).attempt for path in left[job_id])
                self.spool.discard(job_id, up_to=last)

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
        """A restored database may not know that these were bought: their next attempts look here first."""
        for page in _pages(waiting):
            with self.database.begin() as connection:
                if marked := adoption.mark(connection, page):
                    log.warning("answers_found_for_queued_jobs", jobs=marked)

    def _has_rested(self, path: Path) -> bool:
        with suppress(FileNotFoundError):
            return self.clock() - path.stat().st_mtime >= REST_SECONDS
        return True


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), ROWS_PER_STATEMENT):
        yield items[start : start + ROWS_PER_STATEMENT]
