"""Runs a worker's attempts from message to record.

An attempt holds a thread only while it computes: not during the API call, between polls and retries, while its
group's
transaction runs, or while a store is slow.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.concurrency.coroutines import CoroutineRunner
from worker.concurrency.futures import run_here, wait_for
from worker.execution.attempt import Attempt
from worker.execution.context import AttemptContext
from worker.execution.document_join import DocumentJoin
from worker.execution.recorder import Recorder
from worker.execution.thread_pools import Pools
from worker.store.errors import describe
from worker.store.transitions import claims, dispatches, rescues
from worker.store.transitions.claims import Claim
from worker.telemetry import tracing

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Executor:
    """Runs any number of attempts concurrently."""

    context: AttemptContext
    slots: int
    """Maximum concurrent attempts."""
    finished: Callable[[], None]
    """Called after each attempt, when a slot is free."""
    _recorder: Recorder = field(init=False)
    _in_hand: Counter[UUID] = field(default_factory=Counter)
    """Messages by job: a duplicate ends long before the first one."""
    _attempts: dict[tuple[UUID, int], Attempt | DocumentJoin] = field(default_factory=dict)
    """Claimed attempts that are not being recorded yet, by job and number."""
    _missing: set[UUID] = field(default_factory=set)
    _idle: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        own = self.context
        self._recorder = Recorder(
            own.database, own.heartbeat, own.destinations, own.spool, own.stopping, own.pools.database.add
        )

    @property
    def pools(self) -> Pools:
        return self.context.pools

    def begin(self, job_id: UUID, attempt: int, ended: Callable[[], object]) -> None:
        """Start the attempt of one message and return. `ended` is called when the message is finished.

        Without a free slot the job is released: after a reconnect the broker doesn't count the old connection's
        messages.
        """
        is_full = len(self._in_hand) >= self.slots
        self._enter(job_id)

        def finished() -> None:
            try:
                self._leave(job_id)
            finally:
                ended()

        CoroutineRunner(self.pools.attempts).start(
            self._decline(job_id) if is_full else self._run_message(job_id, attempt), finished
        )

    def run(self, job_id: UUID, attempt: int) -> None:
        """`begin`, but synchronous on this thread."""
        self._enter(job_id)
        try:
            run_here(self._run_message(job_id, attempt))
        finally:
            self._leave(job_id)

    def in_hand(self) -> frozenset[UUID]:
        with self._idle:
            return frozenset(self._in_hand)

    def under_way(self) -> int:
        """The number of running attempts; messages that are still to be claimed or declined are none."""
        with self._idle:
            return len(self._attempts)

    def release_orphans(self) -> None:
        """Release jobs that the database lists as running here but aren't: the reply to their claim was lost.

        A job must be missing in two consecutive checks, because a claim may be in progress. Raises SQLAlchemyError.
        """
        with self.context.database.glance() as connection:
            running = set(claims.running_here(connection, self.context.heartbeat.worker_id))
        with self._idle:
            missing = running - self._in_hand.keys()
        orphans, self._missing = missing & self._missing, missing
        if orphans:
            with self.context.database.begin() as connection:
                released = rescues.disown(connection, sorted(orphans), worker_id=self.context.heartbeat.worker_id)
            log.warning("claims_lost", jobs=released)

    def wait_until_idle(self, timeout: float) -> bool:
        """Return False if attempts are still running after `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_hand, timeout)

    def give_up(self) -> int:
        """Release every running attempt; their calls' results are no longer recorded. For a stopping worker.

        Returns the number of messages whose outcome is unknown. Raises SQLAlchemyError.
        """
        with self._idle:
            attempts, self._attempts = tuple(self._attempts.values()), {}
            unknown = self._in_hand.total() - len(attempts)
        if attempts:
            self._recorder.record_all([(attempt.claim, attempt.given_up()) for attempt in attempts])
        return unknown

    async def _run_message(self, job_id: UUID, attempt: int) -> None:
        with structlog.contextvars.bound_contextvars(job=str(job_id)):
            claim = await self._claim(job_id, attempt)
            if claim is not None:
                batch = None if claim.batch_id is None else str(claim.batch_id)
                with structlog.contextvars.bound_contextvars(tenant=claim.tenant, batch=batch, attempt=attempt):
                    kind = Attempt if claim.parts is None else DocumentJoin
                    await self._run_attempt(kind(claim, self.context))

    async def _decline(self, job_id: UUID) -> None:
        self._release(job_id)

    async def _run_attempt(self, attempt: Attempt | DocumentJoin) -> None:
        """Run and record the attempt, unless `give_up` released it meanwhile."""
        name = attempt.claim.job_id, attempt.claim.attempt
        with self._idle:
            self._attempts[name] = attempt
        known: tracing.Attributes = {"ttsq.job": str(attempt.claim.job_id), "ttsq.attempt": attempt.claim.attempt}
        with tracing.span("attempt", parent=attempt.claim.traceparent, attributes=known):
            try:
                settlement = await attempt.settlement()
            finally:
                with self._idle:
                    is_ours = self._attempts.pop(name, None) is not None
            tracing.annotate({"ttsq.verdict": settlement.verdict, "ttsq.status": settlement.status})
            if is_ours:
                with tracing.span("record"):
                    await self._recorder.record(attempt.claim, settlement)

    async def _claim(self, job_id: UUID, attempt: int) -> Claim | None:
        """Claim the job. A message that can't be served is dropped: its row brings the job back."""
        if self.context.stopping.is_set() or not self.context.heartbeat.is_fresh():
            self._release(job_id)
            return None
        try:
            return await wait_for(self.context.queries.claim((job_id, attempt)))
        except SQLAlchemyError as error:
            log.warning("claim_failed", error=describe(error))
            return None

    def _release(self, job_id: UUID) -> None:
        try:
            with self.context.database.begin() as connection:
                dispatches.take_back(connection, [job_id])
        except SQLAlchemyError as error:
            log.warning("release_failed", error=describe(error))

    def _enter(self, job_id: UUID) -> None:
        with self._idle:
            self._in_hand[job_id] += 1

    def _leave(self, job_id: UUID) -> None:
        with self._idle:
            self._in_hand -= Counter((job_id,))  # removes the job at zero
            self._idle.notify_all()
        self.finished()
