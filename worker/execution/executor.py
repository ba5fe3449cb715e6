"""From a message to a record: a worker's attempts, each claimed, carried out and recorded.

An attempt has a thread only while there is work to do for it. It has none while the API speaks, while it waits for the
next poll or try, while a group's transaction is made, and while a store takes its time.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.audio.gate import GateLimits
from worker.concurrency.coroutines import CoroutineRunner
from worker.concurrency.futures import run_here, wait_for
from worker.concurrency.stop_event import StopEvent
from worker.execution.attempt import Attempt
from worker.execution.batched_queries import BatchedQueries
from worker.execution.content_origin import ContentOrigin
from worker.execution.context import AttemptContext
from worker.execution.database_retry import DatabaseRetry
from worker.execution.destinations import Destinations
from worker.execution.heartbeat import Heartbeat
from worker.execution.recorder import Recorder
from worker.execution.settlements import AttemptLimits
from worker.execution.spool import Spool
from worker.execution.thread_pools import Pools
from worker.execution.upload import StoreRetry
from worker.segmind.client import Client
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.transitions import claims, dispatches, rescues
from worker.store.transitions.claims import Claim
from worker.telemetry import tracing

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Executor:
    """Carries out attempts, any number at a time."""

    database: Database
    client: Client
    destinations: Destinations
    spool: Spool
    heartbeat: Heartbeat
    bounds: AttemptLimits
    limits: GateLimits | None
    """Where a good take ends; None where only container and frames are looked at."""
    probe_seconds: float
    slots: int
    """The most attempts at a time."""
    finished: Callable[[], None]
    """Called after each attempt: a slot is free."""
    stopping: StopEvent
    pools: Pools
    origin: ContentOrigin
    """The API that audio is bought from."""
    rng: random.Random = field(default_factory=random.Random)
    _asked: BatchedQueries = field(init=False)
    _tools: AttemptContext = field(init=False)
    _recorder: Recorder = field(init=False)
    _in_hand: Counter[UUID] = field(default_factory=Counter)
    """Messages by job: one may come twice, and the second ends long before the first."""
    _attempts: dict[tuple[UUID, int], Attempt] = field(default_factory=dict)
    """Those that are claimed and not on their way into the books, by job and number."""
    _missing: set[UUID] = field(default_factory=set)
    _idle: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._asked = BatchedQueries(self.database, self.heartbeat, self.pools.database.add)
        self._recorder = Recorder(
            self.database, self.heartbeat, self.destinations, self.spool, self.stopping, self.pools.database.add
        )
        self._tools = AttemptContext(
            database=self.database,
            client=self.client,
            destinations=self.destinations,
            spool=self.spool,
            heartbeat=self.heartbeat,
            bounds=self.bounds,
            limits=self.limits,
            asked=self._asked,
            database_retry=DatabaseRetry(self.heartbeat, self.stopping),
            store_retry=StoreRetry(self.database, self.stopping, self.probe_seconds),
            rng=self.rng,
            pools=self.pools,
            origin=self.origin,
        )

    def begin(self, job_id: UUID, attempt: int, ended: Callable[[], object]) -> None:
        """One message: its job is carried out here, or was taken by someone else, or is handed back. Returns at once.

        `ended` is called when nothing more will be done about it. Over the slots, as after a new connection to the
        broker, which doesn't know of the messages of the old one, the job is handed back.
        """
        is_over = len(self._in_hand) >= self.slots
        self._take_up(job_id)

        def over() -> None:
            try:
                self._put_down(job_id)
            finally:
                ended()

        CoroutineRunner(self.pools.attempts).start(
            self._declined(job_id) if is_over else self._whole(job_id, attempt), over
        )

    def run(self, job_id: UUID, attempt: int) -> None:
        """As `begin`, on this thread and to the end."""
        self._take_up(job_id)
        try:
            run_here(self._whole(job_id, attempt))
        finally:
            self._put_down(job_id)

    def in_hand(self) -> frozenset[UUID]:
        """The jobs that attempts are under way for at this moment."""
        with self._idle:
            return frozenset(self._in_hand)

    def under_way(self) -> int:
        """Attempts at this moment."""
        return self._in_hand.total()

    def release_orphans(self) -> None:
        """Give back jobs that the database says run here and that don't: the answer to their claim was lost.

        Raises SQLAlchemyError. A job counts as lost only when two looks in a row find it so; a claim may be under way.
        """
        with self.database.glance() as connection:
            running = set(claims.running_here(connection, self.heartbeat.worker_id))
        with self._idle:
            missing = running - self._in_hand.keys()
        orphans, self._missing = missing & self._missing, missing
        if orphans:
            with self.database.begin() as connection:
                given_back = rescues.disown(connection, sorted(orphans), worker_id=self.heartbeat.worker_id)
            log.warning("claims_lost", jobs=given_back)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait for attempts to end. False when some are still under way after `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_hand, timeout)

    def give_up(self) -> int:
        """Hand back every attempt as it stands; what its call brings is not recorded any more. For one that leaves.

        Returns how many messages are still in hand of which nobody knows yet what becomes. Raises SQLAlchemyError.
        """
        with self._idle:
            attempts, self._attempts = tuple(self._attempts.values()), {}
            unknown = self._in_hand.total() - len(attempts)
        if attempts:
            self._recorder.record_all([(attempt.claim, attempt.given_up()) for attempt in attempts])
        return unknown

    async def _whole(self, job_id: UUID, attempt: int) -> None:
        with structlog.contextvars.bound_contextvars(job=str(job_id)):
            claim = await self._claim(job_id, attempt)
            if claim is not None:
                await self._carry_out(Attempt(claim, self._tools))

    async def _declined(self, job_id: UUID) -> None:
        self._hand_back(job_id)

    async def _carry_out(self, attempt: Attempt) -> None:
        """To its record, unless it is given up before."""
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
        """Take the job. A message that can't be served now is dropped: its row brings the job back."""
        if self.stopping.is_set() or not self.heartbeat.is_fresh():
            self._hand_back(job_id)
            return None
        try:
            return await wait_for(self._asked.claim((job_id, attempt)))
        except SQLAlchemyError as error:
            log.warning("claim_failed", error=describe(error))
            return None

    def _hand_back(self, job_id: UUID) -> None:
        try:
            with self.database.begin() as connection:
                dispatches.take_back(connection, [job_id])
        except SQLAlchemyError as error:
            log.warning("hand_back_failed", error=describe(error))

    def _take_up(self, job_id: UUID) -> None:
        with self._idle:
            self._in_hand[job_id] += 1

    def _put_down(self, job_id: UUID) -> None:
        with self._idle:
            self._in_hand -= Counter((job_id,))  # what is left at zero goes
            self._idle.notify_all()
        self.finished()
