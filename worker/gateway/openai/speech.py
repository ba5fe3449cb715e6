"""`POST /openai/v1/audio/speech`: one job for one request, however often its client repeats it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.formats import AudioFormat
from api_models.jobs import JobIn
from api_models.openai import SpeechIn
from api_models.problems import InvalidInputError
from api_models.status import JobStatus
from worker import producer
from worker.gateway import answers, audio, entries, strict_json, views
from worker.gateway.answers import Submitter, gateway_of
from worker.gateway.entries import Origin
from worker.gateway.metrics import note_wait
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.openai import delivery, holding
from worker.gateway.openai.errors import INVALID, SERVER, OpenAIError
from worker.gateway.openai.holding import Client, ClientLeftError
from worker.gateway.openai.long_speech import LongSpeech
from worker.gateway.openai.rendering import Encoding, LostAudioError, Rendition, Source
from worker.gateway.openai.requests import PRIORITY
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid
from worker.store.access import joined_requests
from worker.store.access.joined_requests import Joined
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import JobEntry

router = APIRouter(prefix="/openai/v1", tags=["openai"], include_in_schema=False)

MAX_BODY_BYTES: Final = 2 * 2**20
"""A book of about 2 million characters."""
CLIENT_LEFT: Final = 499
"""nginx's status, for the log."""
WHOLE_MS: Final = 3_000
"""Shorter audio is sent whole, with its length: encoding it takes a few hundredths of a second."""
_LOSSY: Final = frozenset({"mp3", "opus"})
"""A file in such a form is delivered as it is: encoding it again would harm it."""
_CLIENTS_FAULT: Final = frozenset({"invalid_request", "content_refused"})


class Origination(StrEnum):
    """How a request came by its audio."""

    HIT = "hit"
    """It was bought before."""
    JOIN = "join"
    """An earlier request of the same key is buying it."""
    MISS = "miss"
    """This request bought it."""


@dataclass(frozen=True, slots=True)
class Asked:
    wanted: SpeechIn
    caller: Caller
    row: dict[str, Any]
    """The job it would be."""
    contents: tuple[str, ...]
    """Fingerprints of what answers it: the take, or the file that a batch has stored in the same form."""


@dataclass(frozen=True, slots=True)
class Answered:
    entry: JobEntry
    how: Origination
    audio: Encoding

    @property
    def headers(self) -> dict[str, str]:
        cost = self.entry.cost if self.how is Origination.MISS else Decimal(0)
        return {
            "x-ttsq-job-id": str(self.entry.id),
            "x-ttsq-cost": views.amount(cost),
            "x-ttsq-cache": self.how.value,
        }


@router.post("/audio/speech")
async def create_speech(request: Request, caller: Submitter) -> Response:
    """Speak a text: from what was bought before, or by a job that the request waits for."""
    gateway = gateway_of(request)
    answers.require_json(request)
    wanted = strict_json.parsed(SpeechIn, await request.body())

    async def spoken(client: Client, part: SpeechIn) -> Answered:
        asked = _asked(request, gateway, caller, part)
        entry = await run_in_threadpool(_find, gateway, asked)
        return await _kept(gateway, asked, entry) or await _bought(client, gateway, asked, lost=entry)

    try:
        shares = await run_in_threadpool(gateway.dialect.shares, wanted)
    except InvalidInputError as error:
        raise invalid(error.faults) from None
    try:
        if len(shares) > 1:
            return await LongSpeech(request, shares, spoken).response(wanted)
        found = await spoken(request, wanted)
    except ClientLeftError:
        return Response(status_code=CLIENT_LEFT)
    return delivery.response(found.audio, found.entry, wanted, found.headers)


def _asked(request: Request, gateway: Gateway, caller: Caller, wanted: SpeechIn) -> Asked:
    job = gateway.dialect.job(wanted, priority=PRIORITY)
    if isinstance(job, list):
        raise invalid(job)
    origin = Origin.of(gateway.settings, caller, request.headers)
    row = entries.entry(job, origin, now=gateway.now())
    return Asked(wanted, caller, row, (row["fingerprint"], *_stored_forms(wanted, job, origin)))


def _stored_forms(wanted: SpeechIn, job: JobIn, origin: Origin) -> Iterator[str]:
    if wanted.speed == 1 and wanted.response_format.value in _LOSSY:
        encoded = job.model_copy(update={"format": AudioFormat(wanted.response_format.value)})
        yield producer.content_of(encoded, origin=origin.api, tenant=origin.tenant, shared=origin.shared)


async def _kept(gateway: Gateway, asked: Asked, entry: JobEntry | None) -> Answered | None:
    """The audio of an earlier job; None if there is none, or the store has lost it."""
    if entry is None:
        return None
    try:
        return Answered(entry, Origination.HIT, await _audio(gateway, entry, asked.wanted))
    except LostAudioError:
        return None


async def _bought(client: Client, gateway: Gateway, asked: Asked, *, lost: JobEntry | None) -> Answered:
    await run_in_threadpool(gateway.keyring.refuse_overspending, asked.caller)
    if refusal := await gateway.quota.refusal(asked.caller, asked.row["model"]):
        raise refusal
    joined = await run_in_threadpool(_attach, gateway, asked, lost)
    if joined.is_new:
        gateway.on_new_jobs()
        gateway.keyring.count_submitted(asked.caller, asked.row["model"])
        gateway.metrics.submitted.labels("job").inc()
    gateway.renderer.warm()
    note_wait(client.scope)
    await holding.until_finished(client, gateway, joined, caller=asked.caller, model=asked.row["model"])
    await gateway.keyring.refuse_outdated(asked.caller)
    entry = await run_in_threadpool(_read, gateway, joined)
    if entry.status != JobStatus.SUCCEEDED:
        raise _failure(entry)
    try:
        encoding = await _audio(gateway, entry, asked.wanted)
    except LostAudioError:
        raise OpenAIError(
            502, SERVER, "The audio is missing from the store.", code="lost_audio", retries=True
        ) from None
    return Answered(entry, Origination.MISS if joined.is_new else Origination.JOIN, encoding)


def _find(gateway: Gateway, asked: Asked) -> JobEntry | None:
    with gateway.database.glance() as connection:
        return tenant_pages.bought(connection, asked.caller.tenant, asked.contents)


def _attach(gateway: Gateway, asked: Asked, lost: JobEntry | None) -> Joined:
    with gateway.database.begin() as connection:
        return joined_requests.attach(
            connection,
            asked.row,
            caller=asked.caller.name,
            now=gateway.database.now(connection),
            lost=None if lost is None else lost.id,
        )


def _read(gateway: Gateway, joined: Joined) -> JobEntry:
    with gateway.database.glance() as connection:
        entry = tenant_pages.job(connection, joined.tenant, joined.job_id)
    if entry is None:
        raise OpenAIError(502, SERVER, "The job was removed while it ran.", code="removed", retries=True)
    return entry


async def _audio(gateway: Gateway, entry: JobEntry, wanted: SpeechIn) -> Encoding:
    try:
        found = await run_in_threadpool(audio.destination_of, gateway, entry)
    except ProblemError:
        raise LostAudioError from None
    rendition = Rendition(entry.sha256 or "", wanted.response_format, wanted.speed, as_it_is=bool(entry.audio_format))
    is_short = (entry.duration_ms or 0) < WHOLE_MS
    return await gateway.renderer.begun(rendition, Source(found.store, found.key), whole=is_short)


def _failure(entry: JobEntry) -> OpenAIError:
    """The error for a job that finished without audio: repeating the request would find the same job."""
    headers = {"x-ttsq-job-id": str(entry.id), "x-ttsq-cost": views.amount(entry.cost)}
    message = entry.message or f"The job finished without audio: it is {entry.status}."
    if entry.code in _CLIENTS_FAULT:
        return OpenAIError(400, INVALID, message, code=entry.code, param="input", headers=headers)
    return OpenAIError(502, SERVER, message, code=entry.code or entry.status, headers=headers)
