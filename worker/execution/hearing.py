"""Listens to accepted takes and decides what becomes of those that may not say their text.

Whatever fails here leaves a take as it was: accepted by its signal. Imported only by workers that listen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api_models.verdict import VerdictKind
from worker.acceptance.findings import Finding, Rung
from worker.acceptance.language import guess
from worker.acceptance.rate import RateLine
from worker.artifacts.errors import ArtifactsError
from worker.concurrency.futures import wait_for
from worker.execution import suspicion
from worker.execution.acceptance import Accepted, Refused, judged
from worker.execution.context import AttemptContext
from worker.execution.listening.messages import Heard, ListeningError, ListenRequest, Tools
from worker.execution.listening.pool import ListeningPool
from worker.execution.opinions import Doubt, Opinion
from worker.execution.suspicion import Earlier, Suspicion
from worker.store import takes
from worker.store.database import Database
from worker.store.tables.jobs import Attempt
from worker.store.takes import TakeRecord, Voice, voice_of
from worker.store.transitions.claims import Claim

RATE_SECONDS: Final = 60.0
"""How long a learned rate is kept in memory."""
MAX_RATES: Final = 1_000
SOURCES: Final = ("espeak", "characters")

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Rates:
    """Learned rates, read from the database at most once a minute for each voice."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    _known: dict[Voice, tuple[float, dict[str, RateLine]]] = field(default_factory=dict)

    def lines(self, of: Voice) -> Mapping[str, RateLine]:
        """Return the lines of a voice by their source; `of.source` doesn't matter. Raises SQLAlchemyError."""
        key = of._replace(source="")
        found = self._known.get(key)
        if found is None or found[0] < self.clock():
            if len(self._known) >= MAX_RATES:
                self._known.clear()
            self._known[key] = found = self.clock() + RATE_SECONDS, self._read(key)
        return found[1]

    def _read(self, key: Voice) -> dict[str, RateLine]:
        with self.database.read() as connection:
            found = [takes.rate(connection, key._replace(source=source)) for source in SOURCES]
        return {one.of.source: RateLine(one.a, one.b, one.mad, one.count) for one in found if one is not None}


@dataclass(slots=True)
class Listener:
    """One per worker."""

    rungs: tuple[Rung, ...]
    tools: Tools
    processes: ListeningPool
    rates: Rates
    keeps_best: bool
    """Whether a job whose takes are all suspicious succeeds with the best of them, and not fails."""

    async def opinion(self, context: AttemptContext, claim: Claim, found: Accepted) -> Opinion:
        """Return what becomes of a take that passed the measurements."""
        heard = await wait_for(context.pools.listening.submit(lambda: self._heard(claim, found)))
        if heard is None:
            return Opinion(found)
        take = _HeardTake(context, claim, found, heard)
        against = take.suspicion()
        opinion = Opinion(found) if against is None else await self._decide(take, against)
        await wait_for(context.pools.io.submit(lambda: take.record(against, opinion)))
        return opinion

    async def _decide(self, take: _HeardTake, against: Suspicion) -> Opinion:
        pools = take.context.pools
        before = await wait_for(pools.database.submit(take.suspected_before)) if take.claim.takes_used else []
        if any(suspicion.agree(against, one.suspicion) for one in before):
            log.info("takes_agree", seconds=round(against.seconds, 2), reason=str(against.reason))
            return Opinion(take.found, Doubt(suspicion.AGREED, against.message))
        if not (self.keeps_best and take.is_last):
            return Opinion(Refused(against.message, against.detail, take.found.take.path, code=suspicion.CODE))
        better = suspicion.best(against, before)
        earlier = None if better is None else await wait_for(pools.io.submit(lambda: take.earlier(better)))
        return earlier or Opinion(take.found, _flag(against))

    def _heard(self, claim: Claim, found: Accepted) -> Heard | None:
        speech, language = claim.speech, guess(claim.speech.text)
        voice = voice_of(speech.voice_1, speech.voice_2)
        try:
            lines = self.rates.lines(Voice(claim.tenant, speech.model, voice, language, ""))
            path, tools = found.take.path, self.tools
            request = ListenRequest(path, speech.text, language, speech.model, voice, self.rungs, lines, tools)
            return self.processes.listen(request)
        except (ListeningError, SQLAlchemyError, OSError) as error:
            log.warning("listening_failed", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
            return None


def _flag(against: Suspicion) -> Doubt:
    return Doubt(suspicion.CODE, f"The audio may be wrong: {against.message}.", is_flag=True)


@dataclass(frozen=True, slots=True)
class _HeardTake:
    context: AttemptContext
    claim: Claim
    found: Accepted
    heard: Heard

    @property
    def seconds(self) -> float:
        return self.found.take.frames / self.found.take.sample_rate

    @property
    def is_last(self) -> bool:
        """Whether the job would fail if this take were refused."""
        claim, limits = self.claim, self.context.attempt_limits
        return claim.takes_used + 1 >= limits.max_takes or claim.attempts_used >= limits.max_attempts

    def suspicion(self) -> Suspicion | None:
        is_named = any(one.sentence is not None for one in self.heard.findings)
        names = sentences(self.claim.speech.text) if is_named else ()
        return suspicion.suspicion(self.heard.findings, self.seconds, names)

    def suspected_before(self) -> list[Earlier]:
        """Return the job's earlier takes that were suspicious. Raises SQLAlchemyError."""
        query = select(Attempt.detail, Attempt.number, Attempt.take_uri).where(
            Attempt.job_id == self.claim.job_id, Attempt.verdict == VerdictKind.BAD_TAKE, Attempt.detail.is_not(None)
        )
        with self.context.database.read() as connection:
            found = [suspicion.earlier(detail or "", number, uri) for detail, number, uri in connection.execute(query)]
        return [one for one in found if one is not None]

    def earlier(self, better: Earlier) -> Opinion | None:
        """Use an earlier take that is less suspicious, if it can be fetched; the current one is kept in its place."""
        claim, context, uri = self.claim, self.context, better.uri or ""
        path = context.spool.part_path(claim.job_id, claim.attempt, "best")
        try:
            place = context.destinations.containing(uri, tenant=claim.tenant, batch_id=claim.batch_id)
            if place is None or place.store.fetch(place.key, path) is None:
                return None
            again = judged(path, claim.speech.text, context.limits, context.pools.codecs)
        except (ArtifactsError, OSError, SQLAlchemyError) as error:
            log.warning("earlier_take_lost", uri=uri, error=str(error).splitlines()[0])
            return None
        if isinstance(again, Refused):
            return None
        return Opinion(
            again, _flag(better.suspicion), instead_of=Refused("", "", self.found.take.path), used=better.number
        )

    def record(self, against: Suspicion | None, opinion: Opinion) -> None:
        """Keep what was found. Without the record, the take is as good and its marks have no place."""
        is_accepted = opinion.take is self.found
        is_right = against is None or (opinion.doubt is not None and not opinion.doubt.is_flag)
        speech, context = self.claim.speech, self.context
        row = TakeRecord(
            job_id=self.claim.job_id,
            number=self.claim.attempt,
            tenant=self.claim.tenant,
            batch_id=self.claim.batch_id,
            model=speech.model,
            voice=voice_of(speech.voice_1, speech.voice_2),
            language=guess(speech.text),
            heard_at=context.heartbeat.now(),
            accepted=is_accepted,
            suspicious=against is not None,
            seconds=self.seconds,
            findings=_scores(self.heard.findings),
            source=self.heard.source,
            reference=self.heard.reference if is_accepted and is_right else None,
        )
        try:
            with context.database.begin() as connection:
                takes.record(connection, row if against is None else _explained(row, against, self.heard.findings))
                if opinion.used is not None:
                    takes.use(connection, self.claim.job_id, opinion.used)
        except SQLAlchemyError as error:
            log.warning("take_unrecorded", error=str(error).splitlines()[0])


def _explained(row: TakeRecord, against: Suspicion, findings: Iterable[Finding]) -> TakeRecord:
    sentence = next((one.sentence for one in findings if one.rung is against.rung), None)
    return replace(
        row,
        rung=str(against.rung),
        reason=str(against.reason),
        sentence=sentence,
        start_seconds=against.start,
        end_seconds=against.end,
    )


def _scores(findings: Iterable[Finding]) -> str:
    """What each rung found, without the sentences: texts are removed, and scores stay."""
    return json.dumps(
        [
            {
                "rung": one.rung,
                "suspicious": one.suspicious,
                "reason": one.reason,
                "score": round(one.score, 3),
                "seconds_spent": round(one.seconds_spent, 3),
            }
            for one in findings
        ]
    )


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in order."""
    # Imported here, because only takes with a named sentence need the splitter.
    from worker.documents.captions.cues import sentences_of  # noqa: PLC0415
    from worker.documents.plan.languages import guess as guess_splitter  # noqa: PLC0415 - likewise

    return sentences_of(text, guess_splitter(text))
