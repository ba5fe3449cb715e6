"""One attempt: claim, recover, synthesize, accept, store, record. Each step can be taken up where another one died."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.verdict import VerdictKind
from worker.audio.container import Container
from worker.audio.converting import as_wav
from worker.audio.errors import BadAudioError
from worker.audio.take import Take, accept
from worker.execution import outcomes, recovery, storing
from worker.execution.grouping import GATHER_SECONDS, Grouped
from worker.execution.heartbeat import Heartbeat
from worker.execution.outcomes import Bounds
from worker.execution.places import Place, Places
from worker.execution.recording import Recorder
from worker.execution.spool import Spool, Spooled, converted
from worker.execution.storing import InterruptedStoringError, Persistence
from worker.segmind import verdicts
from worker.segmind.answers import Answer
from worker.segmind.client import Client
from worker.segmind.errors import SpoolError
from worker.store.database import Database, is_passing
from worker.store.transitions import claiming, dispatching, rescuing
from worker.store.transitions.claiming import Claim
from worker.store.transitions.settling import Settlement

TROUBLE_WAIT_SECONDS: Final = 5.0
"""How long a job stays away from a worker whose spool is in trouble; the dispatcher hears of it by then."""

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Executor:
    """Carries out attempts, any number at a time, each on its caller's thread."""

    database: Database
    client: Client
    places: Places
    spool: Spool
    heartbeat: Heartbeat
    bounds: Bounds
    probe_seconds: float
    finished: Callable[[], None]
    """Called after each attempt: a slot is free."""
    rng: random.Random = field(default_factory=random.Random)
    stopping: threading.Event = field(default_factory=threading.Event)
    _recorder: Recorder = field(init=False)
    _claims: Grouped[tuple[UUID, int], Claim | None] = field(init=False)
    _owned: Grouped[Claim, bool] = field(init=False)
    _in_hand: set[UUID] = field(default_factory=set)
    _missing: set[UUID] = field(default_factory=set)
    _idle: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._recorder = Recorder(self.database, self.heartbeat, self.places, self.spool, self.stopping)
        gather_seconds = 0.0 if self.database.is_sqlite else GATHER_SECONDS
        self._claims = Grouped(self._claim_all, gather_seconds=gather_seconds)
        self._owned = Grouped(self._are_owned, gather_seconds=gather_seconds)

    def run(self, job_id: UUID, attempt: int) -> None:
        """One message: its job is carried out here, or was taken by someone else, or is handed back."""
        with self._in_hands(job_id), structlog.contextvars.bound_contextvars(job=str(job_id)):
            claim = self._claim(job_id, attempt)
            if claim is not None:
                self._recorder.record(claim, self._settled(claim))

    def under_way(self) -> int:
        """Attempts at this moment."""
        return len(self._in_hand)

    def look_for_orphans(self) -> None:
        """Give back jobs that the database says run here and that don't: the answer to their claim was lost.

        Raises SQLAlchemyError. A job counts as lost only when two looks in a row find it so; a claim may be under way.
        """
        with self.database.glance() as connection:
            running = set(claiming.running_here(connection, self.heartbeat.worker_id))
        with self._idle:
            missing = running - self._in_hand
        orphans, self._missing = missing & self._missing, missing
        if orphans:
            with self.database.begin() as connection:
                given_back = rescuing.disown(connection, sorted(orphans), worker_id=self.heartbeat.worker_id)
            log.warning("claims_lost", jobs=given_back)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait for attempts to end. False when some are still under way after `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_hand, timeout)

    def _claim(self, job_id: UUID, attempt: int) -> Claim | None:
        """Take the job. A message that can't be served now is dropped: its row brings the job back."""
        if self.stopping.is_set() or not self.heartbeat.is_fresh():
            self._hand_back(job_id)
            return None
        try:
            return self._claims((job_id, attempt))
        except SQLAlchemyError as error:
            log.warning("claim_failed", error=str(error).splitlines()[0])
            return None

    def _claim_all(self, turns: Sequence[tuple[UUID, int]]) -> list[Claim | None]:
        with self.database.at_once() as connection:
            return claiming.claim_all(connection, turns, worker_id=self.heartbeat.worker_id, now=self.heartbeat.now())

    def _hand_back(self, job_id: UUID) -> None:
        try:
            with self.database.begin() as connection:
                dispatching.take_back(connection, [job_id])
        except SQLAlchemyError as error:
            log.warning("hand_back_failed", error=str(error).splitlines()[0])

    def _settled(self, claim: Claim) -> Settlement:
        try:
            return self._attempt(claim)
        except InterruptedStoringError:
            return outcomes.handed_back(
                code="store_trouble", message="The worker stopped while the audio could not be stored."
            )
        except Exception as error:  # noqa: BLE001 - a job left running would stay so for as long as this worker lives
            return self._surprised(claim, error)

    def _surprised(self, claim: Claim, error: Exception) -> Settlement:
        """The attempt broke off in a way that its steps don't foresee; whatever was bought is in the spool."""
        now = self.heartbeat.now()
        if isinstance(error, SQLAlchemyError) and is_passing(error):
            log.warning("database_trouble", error=str(error).splitlines()[0])
            later = now + timedelta(seconds=TROUBLE_WAIT_SECONDS)
            message = "The database was away in the middle of the attempt."
            return outcomes.handed_back(code="database_trouble", message=message, not_before=later)
        log.error("attempt_crashed", exc_info=error)
        return outcomes.crashed(claim, error, self.bounds, now=now, rng=self.rng)

    def _attempt(self, claim: Claim) -> Settlement:
        """Everything between claim and record; gives the settlement that the record writes."""
        place = self.places.of(claim)
        persistence = Persistence(self.database, self.stopping, self.probe_seconds)
        if claim.recover:
            recovered = persistence.insist(lambda: recovery.stored_before(claim, place))
            if recovered is not None:
                return outcomes.succeeded(claim, recovered.audio, recovered.receipt, verdict=VerdictKind.SUCCESS)
            spooled = self.spool.find(claim.job_id)
            if spooled is not None:
                log.info("recovered", source="spool")
                return self._deliver(claim, place, spooled, Answer(status=200), persistence)
        if claim.twin is not None:
            copy = persistence.insist(lambda: recovery.copied(self.database, claim, place))
            if copy is not None:
                return outcomes.succeeded(claim, copy, outcomes.NO_RECEIPT, verdict=VerdictKind.CACHED)
        return self._buy(claim, place, persistence)

    def _buy(self, claim: Claim, place: Place, persistence: Persistence) -> Settlement:
        """The paid call."""
        if not self.spool.has_room():
            return self._spool_trouble(None)
        path = self.spool.place(claim.job_id, claim.attempt)
        self.spool.lay_out(path)
        try:
            answer = self.client.synthesize(claim.speech, path)
            verdict = verdicts.verdict(answer)
            if verdict.kind is not VerdictKind.SUCCESS or answer.audio is None:
                return self._unsuccessful(claim, verdict, answer)
            spooled = Spooled(answer.audio, self.spool.keep_receipt(answer.audio, answer))
        except (SpoolError, OSError) as error:
            return self._spool_trouble(error)
        return self._deliver(claim, place, spooled, answer, persistence)

    def _deliver(
        self, claim: Claim, place: Place, spooled: Spooled, answer: Answer, persistence: Persistence
    ) -> Settlement:
        """Accept what is in the spool and store it."""
        try:
            take = self._accepted(spooled)
        except BadAudioError as error:
            known = Answer(
                status=answer.status, cost=spooled.receipt.cost, request_id=spooled.receipt.request_id, sent=True
            )
            return self._unsuccessful(claim, verdicts.bad_take(known, str(error)), known)
        cost = outcomes.cost_of(claim.speech.model, spooled.receipt.cost, billed=True)
        if not self._is_owned(claim):
            return outcomes.overtaken(claim, spooled.receipt)
        audio = persistence.insist(lambda: storing.upload(claim, place, take, spooled.receipt, cost))
        return outcomes.succeeded(claim, audio, spooled.receipt, verdict=VerdictKind.SUCCESS)

    def _accepted(self, spooled: Spooled) -> Take:
        take = accept(spooled.path)
        return take if take.container is Container.WAV else as_wav(take, converted(spooled.path))

    def _is_owned(self, claim: Claim) -> bool:
        """Asked right before the upload. With the database away, the answer is yes: the record will tell."""
        try:
            return self._owned(claim)
        except SQLAlchemyError as error:
            log.warning("ownership_unknown", error=str(error).splitlines()[0])
            return True

    def _are_owned(self, claims: Sequence[Claim]) -> list[bool]:
        with self.database.glance() as connection:
            return claiming.are_owned(connection, claims)

    def _unsuccessful(self, claim: Claim, verdict: verdicts.Verdict, answer: Answer) -> Settlement:
        now = self.heartbeat.now()
        return outcomes.unsuccessful(claim, verdict, answer, self.bounds, now=now, rng=self.rng)

    def _spool_trouble(self, error: Exception | None) -> Settlement:
        message = str(error) if error else self.spool.trouble() or "the spool was short of space"
        log.warning("spool_trouble", message=message)
        later = self.heartbeat.now() + timedelta(seconds=TROUBLE_WAIT_SECONDS)
        paid = error.answer if isinstance(error, SpoolError) else None
        return outcomes.handed_back(code="spool_trouble", message=message, not_before=later, paid=paid)

    @contextmanager
    def _in_hands(self, job_id: UUID) -> Iterator[None]:
        with self._idle:
            self._in_hand.add(job_id)
        try:
            yield
        finally:
            with self._idle:
                self._in_hand.discard(job_id)
                self._idle.notify_all()
            self.finished()
