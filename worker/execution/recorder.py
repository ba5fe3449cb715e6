"""Writing an attempt's outcome, however long the database is away: it may be a payment. Then the spool is cleared."""

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
    """A job of the group is no longer its claim's: the group is rolled back."""


@dataclass(slots=True)
class Recorder:
    """The last step of an attempt. One a worker, so that attempts that end together are written together."""

    database: Database
    heartbeat: Heartbeat
    destinations: Destinations
    spool: Spool
    stopping: StopEvent
    offload: Offload | None = None
    _insistence: DatabaseRetry = field(init=False)
    _together: Batcher[tuple[Claim, Settlement], bool] = field(init=False)

    def __post_init__(self) -> None:
        gathers = not self.database.is_sqlite
        self._insistence = DatabaseRetry(self.heartbeat, self.stopping)
        self._together = Batcher(self._write, gathers=gathers, offload=self.offload)

    async def record(self, claim: Claim, settlement: Settlement) -> None:
        """Write the outcome and forget the answer, or keep it for whoever has the job now."""
        try:
            won = await self._insist(claim, settlement)
        except Exception as error:
            if not is_unstorable(error):
                raise
            settlement = _instead(claim, settlement, error)
            won = await self._insist(claim, settlement)
        if won is not None:  # else the take stays stored and spooled; whoever rescues the job finds it
            self._conclude(claim, settlement, won=won)

    def record_all(self, ended: Sequence[tuple[Claim, Settlement]]) -> None:
        """`record` for a worker that leaves: in one go, and tried once. Raises SQLAlchemyError."""
        for (claim, settlement), won in zip(ended, carried_out(self._write, ended), strict=True):
            self._conclude_at_last(claim, settlement, won)

    def _conclude_at_last(self, claim: Claim, settlement: Settlement, won: bool | BaseException) -> None:
        if isinstance(won, BaseException):
            if not is_unstorable(won):
                raise won
            settlement = _instead(claim, settlement, won)
            won = self._write([(claim, settlement)])[0]
        self._conclude(claim, settlement, won=won)

    def _conclude(self, claim: Claim, settlement: Settlement, *, won: bool) -> None:
        _tell(claim, settlement, won=won)
        answer = self.spool.path_for(claim.job_id, claim.attempt)
        if won and not _broke_off(settlement):
            self.spool.discard_answer(answer)
            if claim.recover:
                self.spool.discard(claim.job_id, up_to=claim.attempt)
            return
        if settlement.cost:
            self.spool.note_charged(answer)  # it may wait here for the next attempt
        if not won:
            self._look_after(claim, settlement)

    async def _insist(self, claim: Claim, settlement: Settlement) -> bool | None:
        """Whether the job was still this claim's; None where a stopping worker had to leave without knowing.

        Raises what says that the settlement can't be stored, which no repetition changes.
        """
        try:
            return await self._insistence.run(
                lambda: self._together((claim, settlement)),
                event="record_failed",
                is_passing=lambda error: not is_unstorable(error),
            )
        except SQLAlchemyError as error:
            if is_unstorable(error):
                raise
            return None

    def _write(self, ended: Sequence[tuple[Claim, Settlement]]) -> list[bool]:
        """One transaction for all that end together as a rule; one each where others may have had a hand in the job."""
        now = self.heartbeat.now()
        first = [one for one in ended if not job_settlement.may_repeat(one[0])]
        done = len(first) > 1 and self._write_all(first, now)
        return [
            (done and not job_settlement.may_repeat(claim)) or self._write_one(claim, settlement, now)
            for claim, settlement in ended
        ]

    def _write_all(self, ended: Sequence[tuple[Claim, Settlement]], now: datetime) -> bool:
        """False, and nothing written, where one of the jobs had been taken away."""
        with suppress(_TakenAwayError), self.database.begin() as connection:
            won = job_settlement.settle_all_at_once(connection, ended, now=now)
            if won is None or not all(won):
                raise _TakenAwayError
            return True
        return False

    def _write_one(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        if not (job_settlement.may_repeat(claim) or claim.heard):
            with self.database.at_once() as connection:
                if job_settlement.settle_at_once(connection, claim, settlement, now=now):
                    return True
        with self.database.begin() as connection:
            return job_settlement.settle(connection, claim, settlement, now=now)

    def _look_after(self, claim: Claim, settlement: Settlement) -> None:
        """What came too late was stored all the same: see that the object and the job's row agree."""
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
                self._own_up(claim, destination, settlement.audio)
        except (SQLAlchemyError, ArtifactsError) as error:
            log.warning("orphan_left", uri=settlement.audio.uri, error=str(error).splitlines()[0])

    def _own_up(self, claim: Claim, destination: Destination, audio: StoredAudio) -> None:
        """The job was taken away between the question whose it is and the upload, as from a worker that was stopped in
        its tracks: where this take replaced the winner's, the row must not name the one that is gone."""
        found = destination.store.head(destination.store.key_of(audio.uri) or destination.key)
        if not ownership.belongs(found, Owner(job=str(claim.job_id)), audio.sha256):
            return
        if found is None or found.sha256 != audio.sha256:
            return
        with self.database.begin() as connection:
            restated = job_settlement.restate(connection, claim.job_id, audio)
        if restated:
            log.warning("object_replaced", uri=audio.uri, sha256=audio.sha256)


def _instead(claim: Claim, settlement: Settlement, error: BaseException) -> Settlement:
    """What is recorded in place of a settlement that no column takes."""
    log.error("outcome_unstorable", job=str(claim.job_id), attempt=claim.attempt, error=str(error).splitlines()[0])
    return settlements.unstorable(claim, settlement, error)


def _broke_off(settlement: Settlement) -> bool:
    """Whether the attempt ended without settling what it bought: a store or worker in trouble, a surprise."""
    return settlement.recover and settlement.verdict in {VerdictKind.RELEASED, VerdictKind.RETRY}


def _tell(claim: Claim, settlement: Settlement, *, won: bool) -> None:
    event = log.info if settlement.status is not JobStatus.FAILED else log.warning
    event(
        "attempt" if won else "attempt_late",
        attempt=claim.attempt,
        model=claim.speech.model,
        verdict=str(settlement.verdict),
        status=str(settlement.status),
        code=settlement.code,
        cost=f"{settlement.cost:f}",
    )
