"""Makes another of a job's takes its audio: fetched, encoded as the job asked, and stored under the job's own name.

The take that it replaces is kept beside the others. Buys nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from sqlalchemy import Connection

from api_models.timings import Timings
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.audio.codec.pool import CodecPool
from worker.audio.errors import BadAudioError
from worker.concurrency.futures import run_here
from worker.documents.errors import DocumentError
from worker.execution import encoding, timings, upload
from worker.execution.acceptance import Accepted, Refused
from worker.execution.destinations import Destination, Destinations
from worker.execution.settlements import NO_RECEIPT, Cost
from worker.store.database import Database
from worker.store.queries import takes as take_queries
from worker.store.queries.takes import Take
from worker.store.tables.jobs import Job
from worker.store.takes import TakeRecord, unheard, voice_of
from worker.store.transitions import choices
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import ZERO, StoredAudio


class ChoiceError(Exception):
    """The take can't be chosen. Nothing was changed."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Choice:
    claim: Claim
    take: Take
    used: Take | None
    """The take that is the job's audio until now."""


def choose(database: Database, destinations: Destinations, job_id: UUID, number: int) -> None:
    """Make a take the audio of its job. Raises ChoiceError."""
    with database.read() as connection:
        choice = _choice(connection, job_id, number, database)
    codecs = CodecPool(1)
    try:
        with TemporaryDirectory(prefix="ttsq-") as folder:
            audio = _stored(choice, destinations, Path(folder), codecs)
    except (ArtifactsError, NameTakenError, OSError) as error:
        raise ChoiceError(f"take {number} can't be stored: {str(error).splitlines()[0]}") from error
    finally:
        codecs.close()
    _use(database, choice, audio)


def _choice(connection: Connection, job_id: UUID, number: int, database: Database) -> _Choice:
    claim = choices.finished(connection, job_id, now=database.now(connection))
    if claim is None:
        raise ChoiceError(
            f"{job_id} is unfinished, removed, or a document", "cancel it first; of a document, name a part"
        )
    found = take_queries.bought(connection, Job.id == job_id)
    take = next((one for one in found if one.number == number), None)
    used = next((one for one in found if one.is_used), None)
    if take is None:
        numbers = ", ".join(str(one.number) for one in found) or "none"
        raise ChoiceError(f"{job_id} has no take {number} (known: {numbers})")
    if take.is_used:
        raise ChoiceError(f"take {number} is the job's audio already")
    if take.uri is None:
        raise ChoiceError(f"take {number} was not kept", "`ttsq takes list JOB` says where takes are")
    return _Choice(claim, take, used)


def _stored(
    choice: _Choice, destinations: Destinations, folder: Path, codecs: CodecPool
) -> tuple[StoredAudio, str | None]:
    """Store the take as the job's audio; return it, and where the former one lies now."""
    claim, source = choice.claim, _place(destinations, choice.claim, choice.take.uri)
    path = folder / "take"
    if source.store.fetch(source.key, path) is None:
        raise ChoiceError(f"take {choice.take.number} is gone from the store")
    destination = destinations.for_claim(claim)
    kept = None if choice.used is None else _kept(choice, destinations, destination, folder)
    found = codecs.inspect(path, folder / "wav", is_measured=True)
    accepted = Accepted(found.take, found.measures)
    made = (
        encoding.unchanged(accepted)
        if encoding.is_unchanged(claim)
        else encoding.encode_take(claim, path, accepted, codecs)
    )
    if isinstance(made, Refused):
        raise ChoiceError(made.finding)
    audio = run_here(upload.upload(claim, destination, made, NO_RECEIPT, Cost(ZERO, estimated=False)))
    if claim.timings is not Timings.NONE:
        _time(claim, destination, audio, found.take.path)
    return audio, kept


def _time(claim: Claim, destination: Destination, audio: StoredAudio, wav: Path) -> None:
    """Store the times of the chosen take; without them the choice is as good."""
    with suppress(ArtifactsError, NameTakenError, BadAudioError, DocumentError, OSError, ValueError):
        found = timings.measured(wav, claim.speech.text, claim.timings)
        timings.put(claim, destination, audio, found.encode(), wav.with_name("timings"))


def _place(destinations: Destinations, claim: Claim, uri: str | None) -> Destination:
    place = destinations.containing(uri or "", tenant=claim.tenant, batch_id=claim.batch_id)
    if place is None:
        raise ChoiceError(f"{uri} lies outside the stores of its tenant")
    return place


def _kept(choice: _Choice, destinations: Destinations, destination: Destination, folder: Path) -> str | None:
    """Copy the job's audio to the refused takes, before it is replaced. None if it is gone already."""
    used = choice.used
    if used is None or used.uri is None:
        return None
    path, source = folder / "used", _place(destinations, choice.claim, used.uri)
    if source.store.fetch(source.key, path) is None:
        return None
    key = destination.refused_key(used.number, source.key.rpartition(".")[2])
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    content_type = choice.claim.audio_format.content_type
    metadata = {**upload.named(choice.claim), **upload.costs(Cost(used.cost, estimated=False))}
    return destination.store.put(key, path, content_type=content_type, sha256=sha256, metadata=metadata).uri


def _use(database: Database, choice: _Choice, stored: tuple[StoredAudio, str | None]) -> None:
    audio, kept = stored
    with database.begin() as connection:
        now = database.now(connection)
        record = choice.take.record or _unheard(choice.claim, choice.take, now)
        if not choices.use(connection, choice.claim, record, audio, now=now):
            raise ChoiceError("the job has changed meanwhile", "look at it again")
        if choice.used is not None and kept is not None:
            choices.keep_used(connection, choice.claim.job_id, choice.used.number, kept)


def _unheard(claim: Claim, take: Take, now: datetime) -> TakeRecord:
    speech = claim.speech
    voice = voice_of(speech.voice_1, speech.voice_2)
    return unheard(claim.job_id, take.number, claim.tenant, claim.batch_id, speech.model, voice, now)
