"""One attempt between claim and record: recover, copy, synthesize, accept, encode, store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.status import JobStatus
from api_models.timings import Timings
from api_models.verdict import VerdictKind
from worker.concurrency.futures import wait_for
from worker.execution import (
    earlier_takes,
    encoding,
    provenance,
    recovery,
    refused_takes,
    settlements,
    timings,
    upload,
)
from worker.execution.acceptance import Accepted, Refused, is_plain, judged, unjudged
from worker.execution.context import AttemptContext
from worker.execution.copies import CopySource
from worker.execution.destinations import Destination
from worker.execution.encoding import EncodedTake
from worker.execution.heartbeat import FRESH_SECONDS
from worker.execution.opinions import Opinion
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
from worker.store.transitions import claims
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement, StoredAudio

TROUBLE_WAIT_SECONDS: Final = 5.0
"""Delay before a job returns to a worker with a spool or database outage; the dispatcher knows by then."""
MAX_DEATHS: Final = 2
"""Workers crashed on one answer after which it isn't opened again."""

UNAFFORDABLE_WAIT_SECONDS: Final = 60.0
"""Delay before retrying a job whose copy is gone and whose budget doesn't cover a call."""

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Attempt:
    """A claimed job on its way to a settlement."""

    claim: Claim
    context: AttemptContext
    _progress: Progress = field(init=False)
    _take: Path | None = None
    """The WAV of the accepted take."""

    def __post_init__(self) -> None:
        handle = JobHandle(self.claim, self.context.queries.keep, self.context.database_retry)
        self._progress = Progress(self.claim.speech.model, handle)

    async def settlement(self) -> Settlement:
        """Run the attempt and return its settlement; never raises."""
        settlement = await self._settlement()
        call_ms, upload_ms = self._progress.milliseconds(CALL), self._progress.milliseconds(UPLOAD)
        return replace(settlement, call_ms=call_ms, upload_ms=upload_ms)

    async def _settlement(self) -> Settlement:
        try:
            await self._relabelled()
            return await self._timed(self.context.destinations.for_claim(self.claim))
        except InterruptedStoringError:
            message = "The worker stopped while the audio could not be stored."
            return settlements.released(code="store_trouble", message=message, bill=self._progress.bill())
        except Exception as error:  # noqa: BLE001 - otherwise the job would stay `running` for this worker's lifetime
            return self._unexpected(error)

    async def _timed(self, destination: Destination) -> Settlement:
        """Get the audio, and store its times beside it if the job asked for them."""
        settlement = (
            await self._recovered(destination) or await self._copied(destination) or await self._called(destination)
        )
        if self.claim.timings is not Timings.NONE and settlement.audio is not None:
            with self._progress.step("timings"):
                await timings.keep(self.context, self.claim, destination, settlement.audio, self._take)
        await provenance.keep(self.context, self.claim, destination, settlement)
        return settlement

    async def _relabelled(self) -> None:
        """Replace a fingerprint computed for another API by this worker's."""
        content, database = self.context.origin.fingerprint(self.claim), self.context.database
        if content == self.claim.fingerprint:
            return

        def relabelled() -> UUID | None:
            with database.begin() as connection:
                return claims.relabel(connection, self.claim, content)

        twin = await wait_for(self.context.pools.io.submit(relabelled))
        self.claim = replace(self.claim, fingerprint=content, twin=twin)

    def given_up(self) -> Settlement:
        """The settlement of an attempt that a stopping worker abandons. Called from another thread."""
        message = "The worker stopped during the attempt."
        return settlements.released(code="worker_left", message=message, bill=self._progress.bill())

    async def _recovered(self, destination: Destination) -> Settlement | None:
        """Use audio that an earlier attempt stored or left in this machine's spool."""
        if not self.claim.recover:
            return None

        async def stored_before() -> Recovered | None:
            return await wait_for(self.context.pools.io.submit(lambda: recovery.stored_before(self.claim, destination)))

        stored = await self.context.store_retry.run(stored_before)
        if stored is not None:
            verdict = VerdictKind.CACHED if stored.is_copy else VerdictKind.SUCCESS
            return settlements.succeeded(
                self.claim, stored.audio, stored.receipt, verdict=verdict, source=stored.source
            )
        spooled = self.context.spool.find(self.claim.job_id)
        if spooled is None:
            return None
        log.info("recovered", source="spool")
        return replace(await self._delivered(destination, spooled), source=spooled.attempt)

    async def _copied(self, destination: Destination) -> Settlement | None:
        """Copy audio bought for the same content, unless a request was already submitted for this job."""
        claim = self.claim
        if claim.request_id is not None or (claim.twin is None and claim.copies is None):
            return None
        source = CopySource(claim, destination, self.context.database, self.context.destinations, self.context.spool)

        async def copied() -> StoredAudio | None:
            return await wait_for(self.context.pools.io.submit(source.copied))

        copy = await self.context.store_retry.run(copied)
        if copy is None:
            return settlements.copy_gone(claim) if claim.copies is not None else await self._unaffordable()
        return settlements.succeeded(claim, copy, settlements.NO_RECEIPT, verdict=VerdictKind.CACHED)

    async def _unaffordable(self) -> Settlement | None:
        """Copies start without regard to budgets; a call that replaces one needs budget."""
        database, now = self.context.database, self.context.heartbeat.now()

        def covered() -> bool:
            with database.read() as connection:
                return budgets.covers(connection, self.claim.job_id, now=now)

        if await wait_for(self.context.pools.io.submit(covered)):
            return None
        message = "The audio to copy is gone, and the budget doesn't cover a call; raise the budget."
        later = now + timedelta(seconds=UNAFFORDABLE_WAIT_SECONDS)
        return settlements.released(code="budget", message=message, not_before=later)

    async def _called(self, destination: Destination) -> Settlement:
        """Make the paid call, or resume the submitted request of an earlier attempt."""
        spool = self.context.spool
        if self.claim.request_id is None and (obstacle := await self._call_obstacle()) is not None:
            return obstacle
        path = spool.path_for(self.claim.job_id, self.claim.attempt)
        try:
            with spool.room_for(self.claim.speech.text) as has_room:
                if not has_room:
                    return self._spool_failed(None)
                answer = await self._answer(path)
            verdict = verdicts.verdict(answer)
            if verdict.kind is not VerdictKind.SUCCESS or answer.audio is None:
                proved = self.context.succeeded.is_set()
                return self._unsuccessful(verdict if proved else verdicts.before_success(verdict), answer)
            self.context.succeeded.set()
            spooled = Spooled(answer.audio, spool.keep_receipt(answer.audio, answer))
        except (SpoolError, OSError) as error:
            return self._spool_failed(error)
        self._progress.bought = spooled.receipt
        return await self._delivered(destination, spooled)

    async def _answer(self, path: Path) -> Answer:
        self.context.spool.prepare_file(path)
        self._progress.calling = True
        with self._progress.step(CALL):
            answer = await self.context.client.synthesize(self.claim.speech, path, self._progress.handle)
        self._progress.calling = False
        return answer

    async def _call_obstacle(self) -> Settlement | None:
        """Why no call may be paid for now: the steps since the claim may have taken long."""
        heartbeat = self.context.heartbeat
        if self.context.database_retry.stopping.is_set():
            message = "The worker was stopping before the call began."
            return settlements.released(code="worker_left", message=message)
        is_old = heartbeat.now() - self.claim.started_at > timedelta(seconds=FRESH_SECONDS)
        if heartbeat.is_fresh() and not (is_old and not await wait_for(self.context.queries.owns(self.claim))):
            return None
        message = "The worker lost its database connection before the call began; another worker may have the job."
        return settlements.released(code="cut_off", message=message)

    async def _delivered(self, destination: Destination, spooled: Spooled) -> Settlement:
        with self._progress.step("accept"):
            found = await self._agreed(await self._judged(spooled))
            opinion = await self._opinion(found)
        if isinstance(opinion.take, Refused):
            return await self._refused(destination, spooled, opinion.take)
        settlement = await self._encoded(destination, spooled, opinion.take)
        return await self._doubted(destination, spooled, opinion, settlement)

    async def _opinion(self, found: Accepted | Refused) -> Opinion:
        listener = self.context.listener
        if listener is None or isinstance(found, Refused):
            return Opinion(found)
        with self._progress.step("listen"):
            return await listener.opinion(self.context, self.claim, found)

    async def _doubted(
        self, destination: Destination, spooled: Spooled, opinion: Opinion, settlement: Settlement
    ) -> Settlement:
        """Say of a stored take that it is suspicious, and keep the one that it is used instead of."""
        if opinion.doubt is None or settlement.audio is None:
            return settlement
        if opinion.instead_of is not None:
            kept = await self._kept(destination, spooled, opinion.instead_of)
            self.context.spool.remove_parts(self.claim.job_id, self.claim.attempt)
            settlement = replace(settlement, take_uri=kept)
        said = opinion.doubt.code, opinion.doubt.message
        if opinion.doubt.is_flag:
            return replace(settlement, code=said[0], message=said[1])
        return replace(settlement, remark=said)

    async def _encoded(self, destination: Destination, spooled: Spooled, found: Accepted) -> Settlement:
        self._take = found.take.path
        if encoding.is_unchanged(self.claim):
            return await self._stored(destination, spooled, encoding.unchanged(found))
        # A separate pool: encoding takes ten times as long as measuring, which must not wait for it.
        with self._progress.step("encode"):
            pools = self.context.pools
            encoded = await wait_for(
                pools.encoding.submit(lambda: encoding.encode_take(self.claim, spooled.path, found, pools.codecs))
            )
        if isinstance(encoded, Refused):
            return await self._refused(destination, spooled, encoded)
        return await self._stored(destination, spooled, encoded)

    async def _judged(self, spooled: Spooled) -> Accepted | Refused:
        """Judge in this thread if quick: measuring ten minutes of speech takes half a second of a core."""
        if spooled.deaths >= MAX_DEATHS:
            return unjudged(spooled.path)
        path, text, limits, codecs = (
            spooled.path,
            self.claim.speech.text,
            self.context.limits,
            self.context.pools.codecs,
        )
        is_suspect = spooled.deaths > 0
        if limits is None and not is_suspect and is_plain(path):
            return judged(path, text, None, codecs)
        return await wait_for(
            self.context.pools.analysis.submit(lambda: judged(path, text, limits, codecs, is_suspect=is_suspect))
        )

    async def _agreed(self, found: Accepted | Refused) -> Accepted | Refused:
        """Accept a take that is only too short if an earlier take had the same length."""
        if isinstance(found, Accepted) or found.if_alike is None or not self.claim.takes_used:
            return found
        database, job_id, take = self.context.database, self.claim.job_id, found.if_alike.take
        refused = await wait_for(self.context.pools.database.submit(lambda: earlier_takes.details(database, job_id)))
        if not earlier_takes.agrees(take.frames / take.sample_rate, refused):
            return found
        log.info("takes_agree", seconds=round(take.frames / take.sample_rate, 2))
        return found.if_alike

    async def _refused(self, destination: Destination, spooled: Spooled, refused: Refused) -> Settlement:
        receipt = spooled.receipt
        # An answer without a receipt belongs to the submitted request, if there is one.
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
            f"{refused.finding}; the previous take had the same flaw, so no more are bought"
            if repeats
            else refused.finding
        )
        settlement = self._unsuccessful(verdicts.bad_take(known, finding, measured=refused.measured), known)
        if refused.final or repeats:
            settlement = replace(settlement, status=JobStatus.FAILED, not_before=None)
        if refused.code is not None:
            settlement = replace(settlement, code=refused.code)
        return replace(settlement, take_uri=await self._kept(destination, spooled, refused))

    async def _kept(self, destination: Destination, spooled: Spooled, refused: Refused) -> str | None:
        return await wait_for(
            self.context.pools.io.submit(lambda: refused_takes.kept(self.claim, destination, refused, spooled.receipt))
        )

    async def _has_refused_alike(self, measured: str) -> bool:
        """Whether the job's latest refused take had the same flaw."""
        if not self.claim.takes_used:
            return False

        def latest() -> str | None:
            with self.context.database.read() as connection:
                return refusals.latest_detail(connection, self.claim.job_id)

        return (await wait_for(self.context.pools.io.submit(latest)) or "").startswith(measured)

    async def _stored(self, destination: Destination, spooled: Spooled, encoded: EncodedTake) -> Settlement:
        cost = settlements.cost_of(
            self.claim.speech.model, spooled.receipt.cost, billed=True, characters=len(self.claim.speech.text)
        )

        async def uploaded() -> StoredAudio | None:
            # Before every try: during a long store outage another worker may have claimed the job.
            if not await self._may_store(destination):
                return None
            return await upload.upload(self.claim, destination, encoded, spooled.receipt, cost)

        with self._progress.step(UPLOAD):
            audio = await self.context.store_retry.run(uploaded)
        if audio is None:
            return settlements.overtaken(self.claim, spooled.receipt)
        return settlements.succeeded(self.claim, audio, spooled.receipt, verdict=VerdictKind.SUCCESS)

    async def _may_store(self, destination: Destination) -> bool:
        """Whether the claim still owns the job, retried until the database answers: another worker's take may be
        stored.

        A stopping worker can't wait for an answer. It stores its take only if no object exists, for the next
        attempt to find.
        """
        try:
            return await self.context.database_retry.run(
                lambda: self.context.queries.owns(self.claim), event="ownership_unknown"
            )
        except SQLAlchemyError:
            return destination.store.head(destination.key) is None

    def _unsuccessful(self, verdict: Verdict, answer: Answer) -> Settlement:
        return settlements.unsuccessful(
            self.claim,
            verdict,
            answer,
            self.context.attempt_limits,
            handle=self._progress.handle.request_id,
            now=self.context.heartbeat.now(),
            rng=self.context.rng,
        )

    def _spool_failed(self, error: Exception | None) -> Settlement:
        message = str(error) if error else self.context.spool.problem() or "the spool was short of space"
        log.warning("spool_unavailable", message=message)
        later = self.context.heartbeat.now() + timedelta(seconds=TROUBLE_WAIT_SECONDS)
        return settlements.released(
            code="spool_trouble", message=message, not_before=later, bill=self._progress.bill(error)
        )

    def _unexpected(self, error: Exception) -> Settlement:
        """Settle an unexpected error; audio already bought is in the spool."""
        now = self.context.heartbeat.now()
        if isinstance(error, SQLAlchemyError) and is_passing(error):
            log.warning("database_unavailable", error=str(error).splitlines()[0])
            later = now + timedelta(seconds=TROUBLE_WAIT_SECONDS)
            message = "The database was unavailable during the attempt."
            return settlements.released(
                code="database_trouble", message=message, not_before=later, bill=self._progress.bill()
            )
        log.error("attempt_crashed", exc_info=error)
        return settlements.crashed(
            self.claim,
            error,
            self.context.attempt_limits,
            bill=self._progress.bill(),
            handle=self._progress.handle.request_id,
            now=now,
            rng=self.context.rng,
        )
