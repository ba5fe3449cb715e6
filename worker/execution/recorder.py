"""Records an attempt's outcome, retried through database outages because it may be a payment; then clears the spool."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.artifacts import ownership
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.ownership import Owner
from worker.concurrency.stop_event import StopEvent
from worker.execution import settlements
from worker.execution.batcher import Batcher, Offload
from worker.execution.database_retry import DatabaseRetry
from worker.execution.destinations import Destination, Destinations
from worker.execution.heartbeat import Heartbeat
from worker.execution.spool import Spool
from worker.store.database import Database
from worker.store.errors import is_unstorable
from worker.store.queries import results
from worker.store.transitions import (
    claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement, StoredAudio
from worker.store.writing.groups import carried_out

log = structlog.get_logger("ttsq.execution")


class _TakenAwayError(Exception):
    """A claim of the group no longer owns its job; rolls the group back."""


@dataclass(slots=True)
class Recorder:
    """One per worker, so that attempts that end together are recorded together."""

    database: Database
    heartbeat: Heartbeat
    destinations: Destinations
    spool: Spool
    stopping: StopEvent
    offload: Offload | None = None
    _retry: DatabaseRetry = field(init=False)
    _batch: Batcher[tuple[Claim, Settlement], bool] = field(init=False)

    def __post_init__(self) -> None:
        collects = not self.database.is_sqlite
        self._retry = DatabaseRetry(self.heartbeat, self.stopping)
        self._batch = Batcher(self._write, collects=collects, offload=self.offload)

    async def record(self, claim: Claim, settlement: Settlement) -> None:
        """Write the outcome; delete the spooled answer, or keep it if another attempt may need it."""
        try:
            won = await self._settle(claim, settlement)
        except Exception as error:
            if not is_unstorable(error):
                raise
            settlement = _storable(claim, settlement, error)
            won = await self._settle(claim, settlement)
        if won is not None:  # otherwise the rescued job's next attempt finds the stored or spooled take
            self._conclude(claim, settlement, won=won)

    def record_all(self, ended: Sequence[tuple[Claim, Settlement]]) -> None:
        """`record` for a stopping worker: one transaction, one try. Raises SQLAlchemyError."""
        for (claim, settlement), won in zip(ended, carried_out(self._write, ended), strict=True):
            self._conclude_or_replace(claim, settlement, won)

    def _conclude_or_replace(self, claim: Claim, settlement: Settlement, won: bool | BaseException) -> None:
        if isinstance(won, BaseException):
            if not is_unstorable(won):
                raise won
            settlement = _storable(claim, settlement, won)
            won = self._write([(claim, settlement)])[0]
        self._conclude(claim, settlement, won=won)

    def _conclude(self, claim: Claim, settlement: Settlement, *, won: bool) -> None:
        _log_outcome(claim, settlement, won=won, now=self.heartbeat.now())
        answer = self.spool.path_for(claim.job_id, claim.attempt)
        if won and not _is_interrupted(settlement):
            self.spool.discard_answer(answer)
            if claim.recover:
                self.spool.discard(claim.job_id, up_to=claim.attempt)
            return
        if settlement.cost:
            self.spool.note_charged(answer)  # the next attempt may use the answer
        if not won:
            self._reconcile(claim, settlement)

    async def _settle(self, claim: Claim, settlement: Settlement) -> bool | None:
        """Return whether the claim still owned the job; None if a stopping worker gave up without knowing.

        Raises errors that say that the settlement can't be stored; retrying can't help.
        """
        try:
            return await self._retry.run(
                lambda: self._batch((claim, settlement)),
                event="record_failed",
                is_passing=lambda error: not is_unstorable(error),
            )
        except SQLAlchemyError as error:
            if is_unstorable(error):
                raise
            return None

    def _write(self, ended: Sequence[tuple[Claim, Settlement]]) -> list[bool]:
        """One transaction for first attempts; one each for jobs that another worker may have changed."""
        now = self.heartbeat.now()
        first = [one for one in ended if not job_settlement.may_repeat(one[0])]
        done = len(first) > 1 and self._write_all(first, now)
        return [
            (done and not job_settlement.may_repeat(claim)) or self._write_one(claim, settlement, now)
            for claim, settlement in ended
        ]

    def _write_all(self, ended: Sequence[tuple[Claim, Settlement]], now: datetime) -> bool:
        """Return False, with nothing written, if a claim no longer owned its job."""
        with suppress(_TakenAwayError), self.database.begin() as connection:
            won = job_settlement.settle_all_at_once(connection, ended, now=now)
            if won is None or not all(won):
                raise _TakenAwayError
            return True
        return False

    def _write_one(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        if not (job_settlement.may_repeat(claim) or claim.has_subscriber):
            with self.database.at_once() as connection:
                if job_settlement.settle_at_once(connection, claim, settlement, now=now):
                    return True
        with self.database.begin() as connection:
            return job_settlement.settle(connection, claim, settlement, now=now)

    def _reconcile(self, claim: Claim, settlement: Settlement) -> None:
        """Reconcile the object of a late attempt with the job's row."""
        if settlement.audio is None:
            return
        try:
            with self.database.glance() as connection:
                status = claims.status_of(connection, claim.job_id)
                needed = results.needed(connection, [claim.job_id])
            destination = self.destinations.for_claim(claim)
            if status is JobStatus.CANCELLED:
                key, sha256 = destination.store.key_of(settlement.audio.uri) or destination.key, settlement.audio.sha256
                ownership.remove(destination.store, key, Owner(job=str(claim.job_id)), sha256=sha256, forget=not needed)
                self.spool.discard(claim.job_id, up_to=claim.attempt)
            elif status is JobStatus.SUCCEEDED:
                self._restate(claim, destination, settlement.audio)
        except (SQLAlchemyError, ArtifactsError) as error:
            log.warning("orphan_left", uri=settlement.audio.uri, error=str(error).splitlines()[0])

    def _restate(self, claim: Claim, destination: Destination, audio: StoredAudio) -> None:
        """Correct the row if this take replaced the winner's object.

        That happens when the worker was paused between the ownership check and the upload.
        """
        found = destination.store.head(destination.store.key_of(audio.uri) or destination.key)
        if not ownership.belongs(found, Owner(job=str(claim.job_id)), audio.sha256):
            return
        if found is None or found.sha256 != audio.sha256:
            return
        with self.database.begin() as connection:
            restated = job_settlement.restate(connection, claim.job_id, audio)
        if restated:
            log.warning("object_replaced", uri=audio.uri, sha256=audio.sha256)


def _storable(claim: Claim, settlement: Settlement, error: BaseException) -> Settlement:
    """A storable replacement for a settlement that no column accepts."""
    log.error("outcome_unstorable", job=str(claim.job_id), attempt=claim.attempt, error=str(error).splitlines()[0])
    return settlements.unstorable(claim, settlement, error)


def _is_interrupted(settlement: Settlement) -> bool:
    """Whether the attempt was interrupted before settling what it bought."""
    return settlement.recover and settlement.verdict in {VerdictKind.RELEASED, VerdictKind.RETRY}


def _log_outcome(claim: Claim, settlement: Settlement, *, won: bool, now: datetime) -> None:
    event = log.info if settlement.status is not JobStatus.FAILED else log.warning
    event(
        "attempt" if won else "attempt_late",
        job=str(claim.job_id),
        tenant=claim.tenant,
        batch=None if claim.batch_id is None else str(claim.batch_id),
        worker=str(claim.worker_id),
        attempt=claim.attempt,
        call_ms=settlement.call_ms,
        seconds=round((now - claim.started_at).total_seconds(), 3),
        api_request=settlement.request_id,
        model=claim.speech.model,
        verdict=str(settlement.verdict),
        status=str(settlement.status),
        code=settlement.code,
        cost=f"{settlement.cost:f}",
    )
