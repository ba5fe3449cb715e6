"""Stores finished takes, retried through store outages: they are paid for and on this disk.

During an outage the storage gate is closed, so that nothing is bought that couldn't be stored. A waiting take is a
better
probe than a small object: a nearly full disk still accepts a few bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.verdict import GateScope
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.ownership import ATTEMPT, BATCH, JOB
from worker.artifacts.store import StoredObject
from worker.concurrency.futures import wait_for
from worker.concurrency.retry import retry
from worker.concurrency.stop_event import StopEvent
from worker.execution.destinations import Destination
from worker.execution.encoding import EncodedTake, Sound
from worker.execution.settlements import Cost
from worker.execution.spool import AUDIO, Receipt
from worker.store import account
from worker.store.database import Database
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import StoredAudio
from worker.telemetry.outage_log import OutageLog

FIRST_WAIT_SECONDS: Final = 0.5
MAX_WAIT_SECONDS: Final = 15.0
QUIET_TRIES: Final = 2
"""Transient errors that are retried before the gate closes."""
PATIENCE_SECONDS: Final = 5.0
"""Grace for the next try before a probe replaces it: its worker may have died."""

log = structlog.get_logger("ttsq.execution")
T = TypeVar("T")


class InterruptedStoringError(Exception):
    """The worker is stopping during a store outage; the take stays in the spool."""


@dataclass(frozen=True, slots=True)
class StoreRetry:
    """Retries store operations and holds the storage gate closed meanwhile."""

    database: Database
    stopping: StopEvent
    probe_seconds: float
    _outage: OutageLog = field(default_factory=lambda: OutageLog(log, "store_outage"))
    """Shared by all attempts of a worker."""

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Retry the work through store outages. Raises InterruptedStoringError: the worker is stopping."""

        async def failed(error: ArtifactsError, tries: int) -> None:
            wait = min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(tries, 20))
            if not error.transient or tries >= QUIET_TRIES:
                self._close_gate(error, wait)
            self._outage.failing(error.message, code=error.code)
            if await wait_for(self.stopping.pause(wait)):
                raise InterruptedStoringError from error

        def recovered() -> None:
            self._outage.recovered()
            self._open_gate()

        return await retry(work, ArtifactsError, failed=failed, recovered=recovered)

    def _close_gate(self, error: ArtifactsError, wait: float) -> None:
        """Close the gate, or keep it closed until after the next try."""
        try:
            with self.database.begin() as connection:
                now = self.database.now(connection)
                probe_at = now + timedelta(seconds=2 * wait + PATIENCE_SECONDS + self.probe_seconds)
                closed = account.close_gate(
                    connection,
                    GateScope.STORAGE,
                    None,
                    code=str(error.code),
                    message=error.message,
                    next_probe_at=probe_at,
                    now=now,
                )
                if not closed:
                    account.put_off_probe(connection, str(GateScope.STORAGE), until=probe_at)
            if closed:
                log.warning("gate_closed", gate=str(GateScope.STORAGE), code=error.code, message=error.message)
        except SQLAlchemyError as outage:
            log.warning("database_outage", error=str(outage).splitlines()[0])

    def _open_gate(self) -> None:
        try:
            with self.database.begin() as connection:
                if account.open_gate(connection, str(GateScope.STORAGE)):
                    log.info("gate_opened", gate=str(GateScope.STORAGE))
        except SQLAlchemyError as outage:
            log.warning("database_outage", error=str(outage).splitlines()[0])


async def upload(
    claim: Claim, destination: Destination, made: EncodedTake, receipt: Receipt, cost: Cost
) -> StoredAudio:
    """Store an encoded take under its job's key, with the metadata that a recovery needs."""
    # The answer was hashed on receipt; an encoded file wasn't.
    sha256 = receipt.sha256 if receipt.sha256 and made.path.suffix == AUDIO else file_sha256(made.path)
    metadata = {
        **named(claim),
        **costs(cost),
        "ttsq-request-id": receipt.request_id or "",
        "ttsq-duration-ms": str(made.duration_ms),
        **made.sound.metadata(),
    }
    stored = await _put(destination, claim, made, sha256, metadata)
    return described(stored, sha256=sha256, duration_ms=made.duration_ms, sound=made.sound)


async def _put(
    destination: Destination, claim: Claim, made: EncodedTake, sha256: str, metadata: dict[str, str]
) -> StoredObject:
    """Store under the job's own key, or next to it if a foreign file occupies it."""
    *names, last = destination.names(claim.job_id)
    content_type = claim.audio_format.content_type
    for name in names:
        try:
            return await destination.store.put_async(
                name, made.path, content_type=content_type, sha256=sha256, metadata=metadata
            )
        except NameTakenError as error:
            log.warning("name_taken", uri=error.uri)
    return await destination.store.put_async(
        last, made.path, content_type=content_type, sha256=sha256, metadata=metadata
    )


def costs(cost: Cost) -> dict[str, str]:
    """Metadata that says what an object's audio cost."""
    return {"ttsq-cost": str(cost.amount), "ttsq-cost-estimated": "yes" if cost.estimated else "no"}


def named(claim: Claim) -> dict[str, str]:
    """Metadata that identifies the object's job."""
    batch = {} if claim.batch_id is None else {BATCH: str(claim.batch_id)}
    return {
        JOB: str(claim.job_id),
        "ttsq-tenant": claim.tenant,
        **batch,
        ATTEMPT: str(claim.attempt),
        "ttsq-fingerprint": claim.fingerprint,
    }


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(stored: StoredObject, *, sha256: str, duration_ms: int, sound: Sound) -> StoredAudio:
    """A stored object as recorded in the job's row."""
    return StoredAudio(
        uri=stored.uri,
        content_type=stored.content_type,
        audio_bytes=stored.size,
        sha256=sha256,
        duration_ms=duration_ms,
        peak_dbfs=sound.peak_dbfs,
        loudness_lufs=sound.loudness_lufs,
        silence_share=sound.silence_share,
    )
