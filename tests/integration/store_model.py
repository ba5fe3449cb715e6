"""What the store is meant to do, in a few pure lines a statement: jobs, their ledger, workers, the lease, the budgets.

It knows nothing of SQL, locks or indexes. `test_store_machine` holds the store against it, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from api_models.status import TERMINAL, WAITING, JobStatus
from api_models.verdict import VerdictKind
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

ZERO: Final = Decimal(0)
LOST: Final = "worker_lost"


@dataclass(frozen=True, slots=True)
class ModelJob:
    """The columns of a job that statements change, or go by."""

    id: UUID
    batch_id: UUID | None
    priority: int
    fingerprint: str
    use_cache: bool
    status: JobStatus
    not_before: datetime | None = None
    deadline: datetime | None = None
    attempt: int = 0
    attempts_used: int = 0
    takes_used: int = 0
    recover: bool = False
    worker_id: UUID | None = None
    follows: UUID | None = None
    request_id: str | None = None
    dispatched_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    code: str | None = None
    cost: Decimal = ZERO
    cached: bool = False
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger."""

    job_id: UUID
    number: int
    worker_id: UUID | None
    verdict: VerdictKind
    cost: Decimal
    request_id: str | None
    finished_at: datetime
    noted: bool = False


@dataclass(frozen=True, slots=True)
class ModelWorker:
    """A worker's signs of life."""

    heartbeat_at: datetime
    stopping: bool = False
    stopped_at: datetime | None = None


@dataclass(slots=True)
class Model:
    """Everything there is."""

    jobs: dict[UUID, ModelJob] = field(default_factory=dict)
    ledger: dict[tuple[UUID, int], Entry] = field(default_factory=dict)
    workers: dict[UUID, ModelWorker] = field(default_factory=dict)
    lease: tuple[UUID, datetime] | None = None
    handed_out: list[Entry] = field(default_factory=list)
    """Ledger rows as the dispatcher has read them."""

    def _change(self, which: Iterable[ModelJob], **changes: object) -> int:
        found = list(which)
        for job in found:
            self.jobs[job.id] = replace(job, **changes)  # type: ignore[arg-type]  # columns of a job
        return len(found)

    def _in(self, *states: JobStatus) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.status in states]

    def _of(self, jobs: Sequence[UUID], *states: JobStatus) -> list[ModelJob]:
        return [job for job in self._in(*states) if job.id in jobs]

    # The dispatcher's.

    def promote(self, now: datetime) -> int:
        """Due jobs are queued."""
        due = [job for job in self._in(JobStatus.SCHEDULED) if job.not_before is not None and job.not_before <= now]
        return self._change(due, status=JobStatus.QUEUED, follows=None)

    def expire(self, now: datetime) -> int:
        """Jobs that didn't start in time are over; what was submitted has started."""
        unstarted = [job for job in self._in(*WAITING, JobStatus.DISPATCHED) if job.request_id is None]
        late = [job for job in unstarted if job.deadline is not None and job.deadline <= now]
        return self._change(late, status=JobStatus.EXPIRED, finished_at=now, worker_id=None, code="deadline")

    def queued(self) -> set[UUID]:
        """Jobs that could start."""
        return {job.id for job in self._in(JobStatus.QUEUED)}

    def dispatch(self, jobs: Sequence[UUID], worker_id: UUID | None, now: datetime) -> set[tuple[UUID, int]]:
        """Those of the jobs that are queued are out; the messages."""
        queued = self._of(jobs, JobStatus.QUEUED)
        self._change(queued, status=JobStatus.DISPATCHED, dispatched_at=now, worker_id=worker_id, follows=None)
        return {(job.id, job.attempt) for job in queued}

    def follow(self, leaders: Mapping[UUID, UUID], until: datetime) -> None:
        """Queued jobs wait until those that they follow have ended, or for their time."""
        for job in self._of(list(leaders), JobStatus.QUEUED):
            self._change([job], status=JobStatus.SCHEDULED, follows=leaders[job.id], not_before=until)

    def release(self, ended: Sequence[UUID]) -> int:
        """The followers of these jobs are queued again."""
        theirs = [job for job in self._in(JobStatus.SCHEDULED) if job.follows in ended]
        return self._change(theirs, status=JobStatus.QUEUED, follows=None, not_before=None)

    def take_back(self, which: Callable[[ModelJob], bool]) -> int:
        """Those of the dispatched jobs are queued again."""
        sent = [job for job in self._in(JobStatus.DISPATCHED) if which(job)]
        return self._change(sent, status=JobStatus.QUEUED, worker_id=None, dispatched_at=None)

    def rescue(self, dead: Sequence[UUID], max_attempts: int, now: datetime) -> tuple[int, int]:
        """The dead workers' jobs go on elsewhere, or end; how many of each."""
        self.take_back(lambda job: job.worker_id in dead)
        theirs = [job for job in self._in(JobStatus.RUNNING) if job.worker_id in dead]
        for job in theirs:
            self._write(Entry(job.id, job.attempt, job.worker_id, VerdictKind.LOST, ZERO, job.request_id, now))
        over = [job for job in theirs if job.attempts_used >= max_attempts]
        left = [job for job in theirs if job.attempts_used < max_attempts]
        self._change(over, status=JobStatus.FAILED, finished_at=now, worker_id=None, recover=True, code=LOST)
        return self._change(left, status=JobStatus.QUEUED, worker_id=None, recover=True), len(over)

    def take_news(self) -> list[Entry]:
        """What was not read yet, the oldest first."""
        fresh = sorted(
            (entry for entry in self.ledger.values() if not entry.noted), key=lambda entry: entry.finished_at
        )
        for entry in fresh:
            self.ledger[entry.job_id, entry.number] = replace(entry, noted=True)
        self.handed_out += fresh
        return fresh

    def spent(self, batch_id: UUID) -> Decimal:
        """What a batch has cost, as far as the dispatcher has read."""
        return sum((entry.cost for entry in self.handed_out if self.jobs[entry.job_id].batch_id == batch_id), ZERO)

    # The workers'.

    def claim(self, turns: Sequence[tuple[UUID, int]], worker_id: UUID, now: datetime) -> list[ModelJob | None]:
        """The job of each message whose turn it is and that no other claim has taken, else None."""
        return [self._claim_one(job_id, number, worker_id, now) for job_id, number in turns]

    def _claim_one(self, job_id: UUID, number: int, worker_id: UUID, now: datetime) -> ModelJob | None:
        job = self.jobs[job_id]
        if job.status is not JobStatus.DISPATCHED or job.attempt != number:
            return None
        self._change(
            [job],
            status=JobStatus.RUNNING,
            attempt=number + 1,
            attempts_used=job.attempts_used + 1,
            worker_id=worker_id,
            started_at=now,
        )
        return self.jobs[job_id]

    def twins(self, job_id: UUID) -> set[UUID]:
        """Jobs that bought the same content."""
        mine = self.jobs[job_id]
        return {job.id for job in self._in(JobStatus.SUCCEEDED) if job.fingerprint == mine.fingerprint}

    def is_owned(self, claim: Claim) -> bool:
        """Whether a job is still this claim's."""
        job = self.jobs[claim.job_id]
        return job.status is JobStatus.RUNNING and job.attempt == claim.attempt

    def keep_handle(self, claim: Claim, handle: str) -> None:
        """Record a handle if the claim holds the job, or if an unsuccessful job has none."""
        job = self.jobs[claim.job_id]
        if self.is_owned(claim) or (job.request_id is None and job.status is not JobStatus.SUCCEEDED):
            self._change([job], request_id=handle)

    def settle(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        """End the attempt. True if the job was this claim's, now or at an earlier identical call."""
        written = self.ledger.get((claim.job_id, claim.attempt))
        if written is not None and written.verdict not in {VerdictKind.LOST, VerdictKind.LATE}:
            return True
        may_repeat = claim.recover or claim.request_id is not None
        won = self.is_owned(claim)
        cost = settlement.cost if not self._is_charged(claim, settlement) or (won and not may_repeat) else ZERO
        if won:
            self._end(claim, settlement, cost, now)
        elif written is None or written.verdict is VerdictKind.LOST:
            self._write(self._entry(claim, settlement, VerdictKind.LATE, cost, now))
        else:
            return False
        job = self.jobs[claim.job_id]
        self._change([job], cost=job.cost + cost)
        return won

    def _end(self, claim: Claim, settlement: Settlement, cost: Decimal, now: datetime) -> None:
        job, audio = self.jobs[claim.job_id], settlement.audio
        self._write(self._entry(claim, settlement, settlement.verdict, cost, now))
        self._change(
            [job],
            status=settlement.status,
            attempts_used=job.attempts_used - (0 if settlement.counts else 1),
            takes_used=job.takes_used + settlement.bad_take,
            recover=settlement.recover,
            not_before=settlement.not_before,
            finished_at=now if settlement.status in TERMINAL else None,
            worker_id=None,
            code=settlement.code,
            cached=settlement.verdict is VerdictKind.CACHED,
            uri=audio.uri if audio else None,
            request_id=None if job.request_id == settlement.spent_handle else job.request_id,
        )

    def _entry(self, claim: Claim, settlement: Settlement, verdict: VerdictKind, cost: Decimal, now: datetime) -> Entry:
        return Entry(claim.job_id, claim.attempt, claim.worker_id, verdict, cost, settlement.request_id, now)

    def _is_charged(self, claim: Claim, settlement: Settlement) -> bool:
        """Whether the books have the cost of this call already."""
        theirs = [entry for entry in self.ledger.values() if entry.job_id == claim.job_id and entry.cost]
        return settlement.request_id is not None and any(entry.request_id == settlement.request_id for entry in theirs)

    def _write(self, entry: Entry) -> None:
        self.ledger[entry.job_id, entry.number] = entry

    def disown(self, jobs: Sequence[UUID], worker_id: UUID) -> int:
        """Release jobs that a worker doesn't know it holds."""
        theirs = [job for job in self._of(jobs, JobStatus.RUNNING) if job.worker_id == worker_id]
        for job in theirs:
            self._change(
                [job], status=JobStatus.QUEUED, worker_id=None, recover=True, attempts_used=job.attempts_used - 1
            )
        return len(theirs)

    # What people ask.

    def cancel(self, jobs: Sequence[UUID], now: datetime) -> int:
        """Unfinished jobs end; a call under way is in the ledger at once, and followers are queued again."""
        for job in self._of(jobs, JobStatus.RUNNING):
            self._write(Entry(job.id, job.attempt, job.worker_id, VerdictKind.LOST, ZERO, job.request_id, now))
        unfinished = self._of(jobs, *(set(JobStatus) - TERMINAL))
        ended = self._change(unfinished, status=JobStatus.CANCELLED, finished_at=now, worker_id=None, code="cancelled")
        self.release([job.id for job in self._in(JobStatus.CANCELLED)])
        return ended

    def retry(self, jobs: Sequence[UUID], states: Sequence[JobStatus]) -> int:
        """Ended jobs begin afresh; a success never does."""
        ended = self._of(jobs, *(set(states) & TERMINAL - {JobStatus.SUCCEEDED}))
        nothing = dict.fromkeys(("not_before", "deadline", "dispatched_at", "started_at", "finished_at", "code"))
        return self._change(ended, status=JobStatus.QUEUED, attempts_used=0, takes_used=0, recover=True, **nothing)

    # Workers and the lease.

    def beat(self, worker_id: UUID, now: datetime) -> bool:
        """A sign of life; whether the worker was taken for alive until now."""
        before = self.workers[worker_id]
        self.workers[worker_id] = ModelWorker(heartbeat_at=now)
        return before.stopped_at is None

    def sign_off(self, worker_id: UUID, now: datetime) -> None:
        """Sign a worker off, unless it has running jobs."""
        if not any(job.worker_id == worker_id for job in self._in(JobStatus.RUNNING)):
            self.workers[worker_id] = replace(self.workers[worker_id], stopped_at=now, stopping=True)

    def silent(self, before: datetime) -> list[UUID]:
        """Workers that are there by their rows and were last heard of before this."""
        return [
            name for name, worker in self.workers.items() if worker.stopped_at is None and worker.heartbeat_at < before
        ]

    def abandoned(self, before: datetime) -> set[UUID]:
        """Workers that aren't there, and have had a job since before this."""
        present = {name for name, worker in self.workers.items() if worker.stopped_at is None}
        stale = [job for job in self._in(JobStatus.RUNNING) if job.started_at is not None and job.started_at < before]
        return {job.worker_id for job in stale if job.worker_id is not None} - present

    def hold_lease(self, who: UUID, seconds: float, now: datetime) -> bool:
        """Whether the lease is `who`'s from now on."""
        if self.lease is not None and self.lease[0] != who and self.lease[1] > now:
            return False
        self.lease = (who, now + timedelta(seconds=seconds))
        return True
