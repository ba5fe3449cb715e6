"""One attempt between claim and record: recover, synthesize, accept, store. Each takes up what another one left."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.concurrency.futures import wait_for
from worker.execution import (
    earlier_takes,
    encoding,
    recovery,
    refused_takes,
    settlements,
    upload,
)
from worker.execution.acceptance import Accepted, Refused, is_plain, judged, unjudged
from worker.execution.context import AttemptContext
from worker.execution.copies import CopySource
from worker.execution.destinations import Destination
from worker.execution.encoding import EncodedTake
from worker.execution.heartbeat import FRESH_SECONDS
from worker.execution.progress import CALL, UPLOAD, Progress
from worker.execution.recovery import Recovered
from worker.execution.request_handle import JobHandle
from worker.execution.spool import Spooled
from worker.execution.upload import InterruptedStoringError
from worker.segmind import verdicts
from worker.segmind.answers import Answer
from worker.segmind.errors import SpoolError
from worker.segmind.verdicts import Verdict
from worker.store.database import is_passing
from worker.store.money import budgets
from worker.store.queries import refusals
from worker.store.transitions import fingerprints
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement, StoredAudio

TROUBLE_WAIT_SECONDS: Final = 5.0
"""How long a job stays away from a worker whose spool is in trouble; the dispatcher hears of it by then."""
MAX_DEATHS: Final = 2
"""Of workers with one answer in hand: it is not opened again."""

UNAFFORDABLE_WAIT_SECONDS: Final = 60.0
"""Before a job whose copy is gone is tried again under a budget that doesn't cover a call."""

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Attempt:
    """One claimed job on its way to a settlement."""

    claim: Claim
    tools: AttemptContext
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        handle = JobHandle(self.claim, self.tools.asked.keep, self.tools.database_retry)
        self._progress = Progress(self.claim.speech.model, handle)

    async def settlement(self) -> Settlement:
        """Carry it out; gives what is to be recorded, whatever happens."""
        settlement = await self._settlement()
        call_ms, upload_ms = self._progress.milliseconds(CALL), self._progress.milliseconds(UPLOAD)
        return replace(settlement, call_ms=call_ms, upload_ms=upload_ms)

    async def _settlement(self) -> Settlement:
        try:
            await self._relabelled()
            destination = self.tools.destinations.for_claim(self.claim)
            return (
                await self._recovered(destination) or await self._copied(destination) or await self._called(destination)
            )
        except InterruptedStoringError:
            message = "The worker stopped while the audio could not be stored."
            return settlements.released(code="store_trouble", message=message, bill=self._progress.bill())
        except Exception as error:  # noqa: BLE001 - a job left running would stay so for as long as this worker lives
            return self._surprised(error)

    async def _relabelled(self) -> None:
        """The audio is what this worker's API speaks, whatever API the producer meant."""
        content, database = self.tools.origin.fingerprint(self.claim), self.tools.database
        if content == self.claim.fingerprint:
            return

        def relabelled() -> UUID | None:
            with database.begin() as connection:
                return fingerprints.relabel(connection, self.claim, content)

        twin = await wait_for(self.tools.pools.io.submit(relabelled))
        self.claim = replace(self.claim, fingerprint=content, twin=twin)

    def given_up(self) -> Settlement:
        """What is recorded instead, when the worker leaves and can't wait for it; asked from another thread."""
        message = "The worker left in the middle of the attempt."
        return settlements.released(code="worker_left", message=message, bill=self._progress.bill())

    async def _recovered(self, destination: Destination) -> Settlement | None:
        """What an earlier attempt stored, or left in the spool of this machine."""
        if not self.claim.recover:
            return None

        async def stored_before() -> Recovered | None:
            return await wait_for(self.tools.pools.io.submit(lambda: recovery.stored_before(self.claim, destination)))

        stored = await self.tools.store_retry.run(stored_before)
        if stored is not None:
            verdict = VerdictKind.CACHED if stored.is_copy else VerdictKind.SUCCESS
            return settlements.succeeded(
                self.claim, stored.audio, stored.receipt, verdict=verdict, source=stored.source
            )
        spooled = self.tools.spool.find(self.claim.job_id)
        if spooled is None:
            return None
        log.info("recovered", source="spool")
        return replace(await self._delivered(destination, spooled), source=spooled.attempt)

    async def _copied(self, destination: Destination) -> Settlement | None:
        """What was bought for the same content; what was submitted for this very job comes first."""
        claim = self.claim
        if claim.request_id is not None or (claim.twin is None and claim.copies is None):
            return None
        source = CopySource(claim, destination, self.tools.database, self.tools.destinations, self.tools.spool)

        async def copied() -> StoredAudio | None:
            return await wait_for(self.tools.pools.io.submit(source.copied))

        copy = await self.tools.store_retry.run(copied)
        if copy is None:
            return settlements.copy_gone(claim) if claim.copies is not None else await self._unaffordable()
        return settlements.succeeded(claim, copy, settlements.NO_RECEIPT, verdict=VerdictKind.CACHED)

    async def _unaffordable(self) -> Settlement | None:
        """A copy starts whatever its budgets leave; a call in its place must be covered by them."""
        database, now = self.tools.database, self.tools.heartbeat.now()

        def covered() -> bool:
            with database.read() as connection:
                return budgets.covers(connection, self.claim.job_id, now=now)

        if await wait_for(self.tools.pools.io.submit(covered)):
            return None
        message = "The audio that it was to copy is gone, and its budget doesn't cover a call; raise the budget."
        later = now + timedelta(seconds=UNAFFORDABLE_WAIT_SECONDS)
        return settlements.released(code="budget", message=message, not_before=later)

    async def _called(self, destination: Destination) -> Settlement:
        """The paid call; or, by a handle, the end of the one that an earlier attempt made."""
        spool = self.tools.spool
        if self.claim.request_id is None and (hindrance := await self._hindrance()) is not None:
            return hindrance
        if not spool.has_room():
            return self._spool_trouble(None)
        path = spool.path_for(self.claim.job_id, self.claim.attempt)
        spool.lay_out(path)
        try:
            self._progress.calling = True
            with self._progress.step(CALL):
                answer = await self.tools.client.synthesize(self.claim.speech, path, self._progress.handle)
            self._progress.calling = False
            verdict = verdicts.verdict(answer)
            if verdict.kind is not VerdictKind.SUCCESS or answer.audio is None:
                return self._unsuccessful(verdict, answer)
            spooled = Spooled(answer.audio, spool.keep_receipt(answer.audio, answer))
        except (SpoolError, OSError) as error:
            return self._spool_trouble(error)
        self._progress.bought = spooled.receipt
        return await self._delivered(destination, spooled)

    async def _hindrance(self) -> Settlement | None:
        """Why nothing may be paid for here any more: what came between the claim and now may have taken long."""
        heartbeat = self.tools.heartbeat
        if self.tools.database_retry.stopping.is_set():
            message = "The worker was asked to leave before it had begun the call."
            return settlements.released(code="worker_left", message=message)
        is_old = heartbeat.now() - self.claim.started_at > timedelta(seconds=FRESH_SECONDS)
        if heartbeat.is_fresh() and not (is_old and not await wait_for(self.tools.asked.owns(self.claim))):
            return None
        message = "The worker had lost touch with the database before it had begun the call; others may have the job."
        return settlements.released(code="cut_off", message=message)

    async def _delivered(self, destination: Destination, spooled: Spooled) -> Settlement:
        """Accept what is in the spool, and store it."""
        with self._progress.step("accept"):
            found = await self._agreed(await self._judged(spooled))
        if isinstance(found, Refused):
            return await self._refused(destination, spooled, found)
        if encoding.is_unchanged(self.claim):
            return await self._stored(destination, spooled, encoding.unchanged(found))
        # By a crew of its own: encoding takes ten times as long as listening, which must not wait for it.
        with self._progress.step("encode"):
            pools = self.tools.pools
            made = await wait_for(
                pools.encoding.submit(lambda: encoding.encode_take(self.claim, spooled.path, found, pools.codecs))
            )
        if isinstance(made, Refused):
            return await self._refused(destination, spooled, made)
        return await self._stored(destination, spooled, made)

    async def _judged(self, spooled: Spooled) -> Accepted | Refused:
        """A look takes no time; to listen to ten minutes of speech takes half a second of a core."""
        if spooled.deaths >= MAX_DEATHS:
            return unjudged(spooled.path)
        path, text, limits, codecs = spooled.path, self.claim.speech.text, self.tools.limits, self.tools.pools.codecs
        is_suspect = spooled.deaths > 0
        if limits is None and not is_suspect and is_plain(path):
            return judged(path, text, None, codecs)
        return await wait_for(
            self.tools.pools.analysis.submit(lambda: judged(path, text, limits, codecs, is_suspect=is_suspect))
        )

    async def _agreed(self, found: Accepted | Refused) -> Accepted | Refused:
        """A take that is too short only if all of the text is to be heard, and has one like it, is good."""
        if isinstance(found, Accepted) or found.if_alike is None or not self.claim.takes_used:
            return found
        database, job_id, take = self.tools.database, self.claim.job_id, found.if_alike.take
        refused = await wait_for(self.tools.pools.database.submit(lambda: earlier_takes.details(database, job_id)))
        if not earlier_takes.agrees(take.frames / take.sample_rate, refused):
            return found
        log.info("takes_agree", seconds=round(take.frames / take.sample_rate, 2))
        return found.if_alike

    async def _refused(self, destination: Destination, spooled: Spooled, refused: Refused) -> Settlement:
        receipt = spooled.receipt
        # An answer that lost its receipt came by the handle, where there is one.
        request_id = receipt.request_id or self.claim.request_id
        known = Answer(
            200,
            cost=receipt.cost,
            disbelieved_cost=receipt.disbelieved_cost,
            request_id=request_id,
            remaining_credits=receipt.remaining_credits,
        )
        repeats = refused.is_by_form and await self._has_refused_alike(refused.measured)
        finding = (
            f"{refused.finding}; the take before it was the same, so no more are bought" if repeats else refused.finding
        )
        settlement = self._unsuccessful(verdicts.bad_take(known, finding, measured=refused.measured), known)
        if refused.final or repeats:
            settlement = replace(settlement, status=JobStatus.FAILED, not_before=None)
        kept = await wait_for(
            self.tools.pools.io.submit(lambda: refused_takes.kept(self.claim, destination, refused, receipt))
        )
        return replace(settlement, take_uri=kept)

    async def _has_refused_alike(self, measured: str) -> bool:
        """Whether the job's latest refused take was of the same kind."""
        if not self.claim.takes_used:
            return False

        def latest() -> str | None:
            with self.tools.database.read() as connection:
                return refusals.latest_detail(connection, self.claim.job_id)

        return (await wait_for(self.tools.pools.io.submit(latest)) or "").startswith(measured)

    async def _stored(self, destination: Destination, spooled: Spooled, made: EncodedTake) -> Settlement:
        cost = settlements.cost_of(self.claim.speech.model, spooled.receipt.cost, billed=True)

        async def uploaded() -> StoredAudio | None:
            # Before every try: a store may be in trouble for so long that the job is somebody else's by then.
            if not await self._may_store(destination):
                return None
            return await upload.upload(self.claim, destination, made, spooled.receipt, cost)

        with self._progress.step(UPLOAD):
            audio = await self.tools.store_retry.run(uploaded)
        if audio is None:
            return settlements.overtaken(self.claim, spooled.receipt)
        return settlements.succeeded(self.claim, audio, spooled.receipt, verdict=VerdictKind.SUCCESS)

    async def _may_store(self, destination: Destination) -> bool:
        """Whether the job is still this claim's, asked until the database tells: else another one's take may be there.

        A worker that leaves can't wait for that. Its take is stored where there is none, for the next attempt to find.
        """
        try:
            return await self.tools.database_retry.run(
                lambda: self.tools.asked.owns(self.claim), event="ownership_unknown"
            )
        except SQLAlchemyError:
            return destination.store.head(destination.key) is None

    def _unsuccessful(self, verdict: Verdict, answer: Answer) -> Settlement:
        return settlements.unsuccessful(
            self.claim,
            verdict,
            answer,
            self.tools.bounds,
            handle=self._progress.handle.request_id,
            now=self.tools.heartbeat.now(),
            rng=self.tools.rng,
        )

    def _spool_trouble(self, error: Exception | None) -> Settlement:
        message = str(error) if error else self.tools.spool.problem() or "the spool was short of space"
        log.warning("spool_trouble", message=message)
        later = self.tools.heartbeat.now() + timedelta(seconds=TROUBLE_WAIT_SECONDS)
        return settlements.released(
            code="spool_trouble", message=message, not_before=later, bill=self._progress.bill(error)
        )

    def _surprised(self, error: Exception) -> Settlement:
        """The attempt broke off in a way that its steps don't foresee; whatever was bought is in the spool."""
        now = self.tools.heartbeat.now()
        if isinstance(error, SQLAlchemyError) and is_passing(error):
            log.warning("database_trouble", error=str(error).splitlines()[0])
            later = now + timedelta(seconds=TROUBLE_WAIT_SECONDS)
            message = "The database was away in the middle of the attempt."
            return settlements.released(
                code="database_trouble", message=message, not_before=later, bill=self._progress.bill()
            )
        log.error("attempt_crashed", exc_info=error)
        return settlements.crashed(
            self.claim,
            error,
            self.tools.bounds,
            bill=self._progress.bill(),
            handle=self._progress.handle.request_id,
            now=now,
            rng=self.tools.rng,
        )
