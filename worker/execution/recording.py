"""Writing an attempt's outcome, however long the database is away: it may be a payment. Then the spool is cleared."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.artifacts.errors import ArtifactsError
from worker.execution.grouping import GATHER_SECONDS, Grouped
from worker.execution.heartbeat import Heartbeat
from worker.execution.places import Places
from worker.execution.spool import Spool
from worker.store.database import Database
from worker.store.transitions import claiming, settling
from worker.store.transitions.claiming import Claim
from worker.store.transitions.settling import Settlement

RECORD_WAITS_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
LAST_TRIES_SECONDS: Final = 0.5
"""Between two tries of a worker that is stopping."""

log = structlog.get_logger("ttsq.execution")


class _TakenAwayError(Exception):
    """A job of the group is no longer its claim's: the group is rolled back."""


@dataclass(slots=True)
class Recorder:
    """The last step of an attempt. One a worker, so that attempts that end together are written together."""

    database: Database
    heartbeat: Heartbeat
    places: Places
    spool: Spool
    stopping: threading.Event
    _together: Grouped[tuple[Claim, Settlement], bool] = field(init=False)

    def __post_init__(self) -> None:
        gather_seconds = 0.0 if self.database.is_sqlite else GATHER_SECONDS
        self._together = Grouped(self._write, gather_seconds=gather_seconds)

    def record(self, claim: Claim, settlement: Settlement) -> None:
        """Write the outcome and forget the answer, or keep it for whoever has the job now."""
        won = self._insist(claim, settlement)
        if won is None:
            return  # The take stays stored and spooled; whoever rescues the job finds it.
        _tell(claim, settlement, won=won)
        answer = self.spool.place(claim.job_id, claim.attempt)
        if not won:
            self.spool.note_charged(answer)
            self._clear_after_cancel(claim, settlement)
        elif settlement.verdict is not VerdictKind.RELEASED:
            self.spool.discard_answer(answer)
            if claim.recover:
                self.spool.discard(claim.job_id)

    def _insist(self, claim: Claim, settlement: Settlement) -> bool | None:
        """Whether the job was still this claim's; None where a stopping worker had to leave without knowing."""
        waits = iter(RECORD_WAITS_SECONDS)
        while True:
            try:
                return self._together((claim, settlement))
            except SQLAlchemyError as error:
                wait = next(waits, RECORD_WAITS_SECONDS[-1])
                log.warning("record_failed", error=str(error).splitlines()[0], retry_in_seconds=wait)
                if self.stopping.wait(wait):
                    if not self.heartbeat.is_fresh():
                        return None
                    time.sleep(LAST_TRIES_SECONDS)

    def _write(self, ended: Sequence[tuple[Claim, Settlement]]) -> list[bool]:
        """One transaction for all that end together as a rule; one each where a job had been taken away."""
        now = self.heartbeat.now()
        if len(ended) > 1:
            with suppress(_TakenAwayError), self.database.begin() as connection:
                won = settling.settle_all_at_once(connection, ended, now=now)
                if won is None or not all(won):
                    raise _TakenAwayError
                return won
        return [self._write_one(claim, settlement, now) for claim, settlement in ended]

    def _write_one(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        with self.database.at_once() as connection:
            if settling.settle_at_once(connection, claim, settlement, now=now):
                return True
        with self.database.begin() as connection:
            return settling.settle(connection, claim, settlement, now=now)

    def _clear_after_cancel(self, claim: Claim, settlement: Settlement) -> None:
        """A job that was cancelled during its call leaves no object that no row names."""
        if settlement.audio is None:
            return
        try:
            with self.database.glance() as connection:
                status = claiming.status_of(connection, claim.job_id)
            if status is JobStatus.CANCELLED:
                place = self.places.of(claim)
                place.store.delete(place.key)
                self.spool.discard(claim.job_id)
        except (SQLAlchemyError, ArtifactsError) as error:
            log.warning("orphan_left", uri=settlement.audio.uri, error=str(error).splitlines()[0])


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
