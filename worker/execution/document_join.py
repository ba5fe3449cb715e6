"""One attempt to join a document: fetch its parts' takes, join and encode them, store the recording. Buys nothing.

Every step can be repeated: takes are read, files are temporary, and the recording's key is the document's own. A
recording that an earlier attempt stored counts only if it was made of the same takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.keys import beside
from worker.audio.errors import BadAudioError
from worker.concurrency.futures import wait_for
from worker.execution import document_recording, provenance, recovery, settlements, timings, upload
from worker.execution.context import AttemptContext
from worker.execution.destinations import Destination
from worker.execution.document_recording import Finished, Material
from worker.execution.encoding import EncodedTake, Sound
from worker.execution.settlements import NO_RECEIPT, Cost
from worker.execution.timings import TimedAudio
from worker.execution.upload import InterruptedStoringError
from worker.store import documents
from worker.store.database import is_passing
from worker.store.documents import FAR, TAKE_MISSING, PartRecord
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import ZERO, Settlement, StoredAudio
from worker.telemetry.redaction import redact

if TYPE_CHECKING:
    from worker.documents.captions.cues import Span
    from worker.documents.stored_plan import Sidecar

NOT_JOINED: Final = "not_joined"
OUTAGE_WAIT_SECONDS: Final = 5.0
FETCHES: Final = 8
"""Takes that are fetched at the same time."""
_FREE: Final = Cost(ZERO, estimated=False)

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class DocumentJoin:
    """A claimed document on its way to a settlement."""

    claim: Claim
    context: AttemptContext

    async def settlement(self) -> Settlement:
        """Run the attempt and return its settlement; never raises."""
        try:
            return await self._joined()
        except InterruptedStoringError:
            return settlements.released(code="store_trouble", message="The recording could not be stored yet.")
        except Exception as error:  # noqa: BLE001 - otherwise the job would stay `running` for this worker's lifetime
            return self._unexpected(error)
        finally:
            self.context.spool.remove_parts(self.claim.job_id, self.claim.attempt)

    def given_up(self) -> Settlement:
        """The settlement of an attempt that a stopping worker abandons. Called from another thread."""
        return settlements.released(code="worker_left", message="The worker stopped during the attempt.")

    async def _joined(self) -> Settlement:
        destination = self.context.destinations.for_claim(self.claim)
        material = await wait_for(self.context.pools.io.submit(self._material))
        if material is None or not all(part.status is JobStatus.SUCCEEDED for part in material.parts):
            return self._awaiting_parts()
        self.claim = replace(self.claim, fingerprint=_content(self.claim, material))
        if (stored := await self._stored_before(destination)) is not None:
            return settlements.succeeded(self.claim, stored, NO_RECEIPT, verdict=VerdictKind.CACHED)
        takes = [self._take_path(part) for part in material.parts]
        if missing := await self._fetched(material.parts, takes):
            return self._missing(material, missing)
        heard = await wait_for(self.context.pools.io.submit(lambda: self._heard(material)))
        into = self.context.spool.part_path(self.claim.job_id, self.claim.attempt, "recording")
        try:
            joining = self.context.pools.joining.submit(
                lambda: document_recording.make(self.claim, material, takes, into, heard)
            )
            made = await wait_for(joining)
        except BadAudioError as error:
            return _failed(NOT_JOINED, f"The takes can't be joined: {error.message}")
        except document_recording.JoinRefusedError as error:
            return _failed(NOT_JOINED, f"The takes can't be joined: {error}")
        return await self._stored(destination, made)

    def _material(self) -> Material | None:
        with self.context.database.read() as connection:
            record = documents.by_id(connection, self.claim.job_id)
            parts = documents.chosen(connection, self.claim.job_id)
        return None if record is None or not record.plan else document_recording.material(record, parts)

    def _take_path(self, part: PartRecord) -> Path:
        return self.context.spool.part_path(self.claim.job_id, self.claim.attempt, f"take{part.part}")

    async def _stored_before(self, destination: Destination) -> StoredAudio | None:
        if not self.claim.recover:
            return None

        async def found() -> StoredAudio | None:
            known = await wait_for(
                self.context.pools.io.submit(lambda: recovery.stored_before(self.claim, destination))
            )
            return None if known is None else known.audio

        return await self.context.store_retry.run(found)

    async def _fetched(self, parts: Sequence[PartRecord], paths: Sequence[Path]) -> list[PartRecord]:
        """Fetch all takes, a few at a time. Returns those that are gone."""
        gone: list[PartRecord] = []
        for start in range(0, len(parts), FETCHES):
            some = list(zip(parts[start : start + FETCHES], paths[start : start + FETCHES], strict=True))
            there = await self.context.store_retry.run(partial(self._fetched_some, some))
            gone += [part for (part, _), is_there in zip(some, there, strict=True) if not is_there]
        return gone

    async def _fetched_some(self, some: Sequence[tuple[PartRecord, Path]]) -> list[bool]:
        running = [self.context.pools.io.submit(partial(self._is_there, part, path)) for part, path in some]
        return [await wait_for(fetching) for fetching in running]

    def _heard(self, material: Material) -> dict[int, Sequence[Span]]:
        """Return the words that are stored beside the takes of parts, by index. Without them pauses decide."""
        found: dict[int, Sequence[Span]] = {}
        for index, part in enumerate(material.parts):
            if part.timings is None or part.uri is None:
                continue
            audio = TimedAudio(part.uri, part.sha256, self.claim.tenant, self.claim.batch_id)
            with suppress(ArtifactsError):
                known = timings.stored(self.context.destinations, audio)
                if known is not None and known.text == part.text and known.is_heard:
                    found[index] = known.words
        return found

    def _is_there(self, part: PartRecord, into: Path) -> bool:
        claim, uri = self.claim, part.uri or ""
        source = self.context.destinations.containing(uri, tenant=claim.tenant, batch_id=claim.batch_id)
        if source is None or part.purged_at is not None:
            return False
        return source.store.fetch(source.key, into, sha256=part.sha256) is not None

    async def _stored(self, destination: Destination, made: Finished) -> Settlement:
        encoded = EncodedTake(made.path, made.duration_ms, Sound(made.peak_dbfs, made.loudness_lufs))

        async def stored() -> StoredAudio | None:
            if not await self._owns():
                return None
            await wait_for(self.context.pools.io.submit(lambda: self._store_sidecars(destination, made)))
            return await upload.upload(self.claim, destination, encoded, NO_RECEIPT, _FREE)

        audio = await self.context.store_retry.run(stored)
        if audio is None:
            return replace(settlements.overtaken(self.claim, NO_RECEIPT), cost=ZERO, cost_estimated=False)
        if made.timings is not None:
            await wait_for(self.context.pools.io.submit(lambda: self._store_timings(destination, audio, made.timings)))
        settlement = settlements.succeeded(self.claim, audio, NO_RECEIPT, verdict=VerdictKind.CACHED)
        await provenance.keep(self.context, self.claim, destination, settlement)
        return settlement

    def _store_timings(self, destination: Destination, audio: StoredAudio, content: str | None) -> None:
        path = self.context.spool.part_path(self.claim.job_id, self.claim.attempt, "timings")
        try:
            timings.put(self.claim, destination, audio, content or "", path)
        except (ArtifactsError, NameTakenError, OSError, ValueError) as error:
            log.warning("timings_lost", error=str(error).splitlines()[0])

    async def _owns(self) -> bool:
        owned = await self.context.database_retry.run(
            lambda: self.context.queries.owns(self.claim), event="ownership_unknown"
        )
        return bool(owned)

    def _store_sidecars(self, destination: Destination, made: Finished) -> None:
        if not made.sidecars:
            return
        stored = {kind: self._store_sidecar(destination, kind, path) for kind, path in made.sidecars.items()}
        with self.context.database.begin() as connection:
            documents.keep_sidecars(connection, self.claim.job_id, document_recording.encoded_sidecars(stored))

    def _store_sidecar(self, destination: Destination, kind: Sidecar, path: Path) -> str:
        key = document_recording.sidecar_key(destination.key, kind)
        names = key, beside(key, str(self.claim.job_id))
        content_type, sha256 = document_recording.CONTENT_TYPES[kind], upload.file_sha256(path)
        metadata = {**upload.named(self.claim), **upload.costs(_FREE)}
        try:
            stored = destination.store.put(names[0], path, content_type=content_type, sha256=sha256, metadata=metadata)
        except NameTakenError:
            stored = destination.store.put(names[1], path, content_type=content_type, sha256=sha256, metadata=metadata)
        return stored.uri

    def _awaiting_parts(self) -> Settlement:
        """A part was bought again, or another take chosen, after the message was sent."""
        message = "Some parts have no audio yet."
        waits = settlements.released(code="parts_unfinished", message=message, not_before=FAR)
        return replace(waits, code=None, message=None)

    def _missing(self, material: Material, missing: Sequence[PartRecord]) -> Settlement:
        first = material.plan.place(missing[0].part, missing[0].text)
        others = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        message = f"The audio of {first}{others} is gone from the store; a retry buys it again."
        failed = _failed(TAKE_MISSING, message)
        return replace(failed, detail=" ".join(str(part.id) for part in missing))

    def _unexpected(self, error: Exception) -> Settlement:
        later = self.context.heartbeat.now() + timedelta(seconds=OUTAGE_WAIT_SECONDS)
        if isinstance(error, (SQLAlchemyError, ArtifactsError, OSError)) and _is_outage(error):
            log.warning("join_interrupted", error=str(error).splitlines()[0])
            return settlements.released(code="join_interrupted", message=redact(str(error)), not_before=later)
        log.error("join_crashed", exc_info=error)
        detail = redact(f"{type(error).__name__}: {error}")
        if self.claim.attempts_used >= self.context.attempt_limits.max_attempts:
            message = "The worker failed with an unexpected error; see its log."
            return replace(_failed("internal_error", message), detail=detail)
        waits = settlements.released(code="internal_error", message="An unexpected error.", not_before=later)
        return replace(waits, detail=detail, counts=True)


def _is_outage(error: Exception) -> bool:
    return not isinstance(error, SQLAlchemyError) or is_passing(error)


def _failed(code: str, message: str) -> Settlement:
    return Settlement(
        status=JobStatus.FAILED, verdict=VerdictKind.RELEASED, counts=False, recover=True, code=code, message=message
    )


def _content(claim: Claim, material: Material) -> str:
    """Identify the recording: the document, the takes it is made of and how they are joined."""
    takes = "\n".join(part.sha256 or "" for part in material.parts)
    return hashlib.sha256(f"{claim.fingerprint}\n{material.record.style}\n{takes}".encode()).hexdigest()
