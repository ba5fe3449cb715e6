"""One job: its attempts in time, its audio with a waveform, refused takes, provenance, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from api_models.http_problems import Trouble
from api_models.status import TERMINAL, JobStatus
from worker.artifacts.errors import ArtifactsError
from worker.execution import chosen_takes, timings
from worker.execution.chosen_takes import ChoiceError
from worker.execution.timings import TimedAudio
from worker.gateway import answers, audio
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages, peaks
from worker.gateway.console.access import UNCHANGED, Operating, Reader, note
from worker.gateway.console.environment import HEADERS
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, not_found
from worker.maintenance.purger import Purger
from worker.store import takes as store_takes
from worker.store.queries import filters, tenant_pages
from worker.store.queries import jobs as job_queries
from worker.store.queries import takes as take_queries
from worker.store.queries.jobs import AttemptRecord
from worker.store.queries.tenant_pages import JobEntry
from worker.store.tables.jobs import Job
from worker.store.takes import Mark, unheard, voice_of
from worker.store.transitions import actions, purges

if TYPE_CHECKING:
    from worker.documents.captions.cues import Cue

router = APIRouter(prefix="/console/jobs", include_in_schema=False)

VERDICTS: Final = {
    "success": "Audio accepted, stored and recorded",
    "cached": "Copied from audio that was bought before",
    "bad_take": "Audio refused",
    "refused": "Refused by the API",
    "gate": "A gate closed; the job returned to the queue",
    "pace": "Rate limit; the job returned to the queue",
    "retry": "Failed; another attempt follows",
    "released": "Returned to the queue without a call",
    "lost": "The worker stopped; the job returned to the queue",
    "late": "Audio arrived after the job had moved on",
}
"""What the end of an attempt means."""
SHOWN_SENTENCES: Final = 200
MEDIA_HEADERS: Final = HEADERS | {
    "cache-control": "private, max-age=3600",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
"""An object in a bucket may be anything: opened by itself, it runs nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline."""

    at: datetime
    title: str
    seconds: float | None = None
    """How long it took; None for a moment."""
    waited: float | None = None
    """Seconds since the step before ended."""
    cost: Decimal | None = None
    attempt: AttemptRecord | None = None
    kind: str = ""


def timeline(job: JobEntry, attempts: Sequence[AttemptRecord]) -> list[Step]:
    steps = [Step(job.created_at, "Submitted", kind="submitted")]
    ended = job.created_at
    for one in attempts:
        title = VERDICTS.get(one.verdict, one.verdict)
        seconds = (one.finished_at - one.started_at).total_seconds()
        waited = max(0.0, (one.started_at - ended).total_seconds())
        steps.append(Step(one.started_at, title, seconds, waited, one.cost, one, one.verdict))
        ended = one.finished_at
    if job.status == JobStatus.RUNNING and job.started_at is not None:
        steps.append(Step(job.started_at, "Running now", kind="running"))
    if job.finished_at is not None:
        steps.append(Step(job.finished_at, f"Finished: {job.status}", kind=str(job.status)))
    return steps


@router.get("/{job_id}")
def get_job(request: Request, job_id: UUID, visitor: Reader) -> Response:
    """Show one job."""
    gateway = gateway_of(request)
    job = read(gateway, visitor.tenant, job_id)
    with gateway.database.read() as connection:
        attempts = job_queries.attempts(connection, job_id)
        takes = take_queries.bought(connection, Job.id == job_id)
        more = job_queries.jobs(connection, filters.selection(job_ids=(job_id,)))[0]
        batch = None if job.batch_id is None else tenant_pages.batch(connection, visitor.tenant, job.batch_id)
    values = {
        "job": job,
        "measured": more,
        "batch": batch,
        "steps": timeline(job, attempts),
        "takes": takes if len(takes) > 1 or any(not one.is_used for one in takes) else [],
        "sentences": sentences(gateway, job),
        "has_audio": job.status == JobStatus.SUCCEEDED and job.purged_at is None,
        "is_finished": job.status in TERMINAL,
        "can_retry": job.status in TERMINAL - {JobStatus.SUCCEEDED} and job.purged_at is None,
        "listed_tags": [] if not job.tags else job.tags.strip(",").split(","),
    }
    return pages.render(request, "job.html", visitor, values)


def sentences(gateway: Gateway, job: JobEntry) -> Sequence[Cue]:
    """Return when each sentence is heard, if it is stored beside the audio; nothing while the store is unavailable."""
    if not job.timings or job.uri is None or job.status != JobStatus.SUCCEEDED or job.purged_at is not None:
        return ()
    with suppress(ArtifactsError):
        found = timings.stored(gateway.destinations, TimedAudio(job.uri, job.sha256, job.tenant, job.batch_id))
        return () if found is None else found.cues()[:SHOWN_SENTENCES]
    return ()


@router.get("/{job_id}/audio")
def get_audio(request: Request, job_id: UUID, visitor: Reader) -> Response:
    """Return the audio through the gateway, with ranges: the page may load nothing from a bucket."""
    gateway = gateway_of(request)
    job = read(gateway, visitor.tenant, job_id)
    if job.status != JobStatus.SUCCEEDED:
        raise not_found("audio")
    return audio.streamed(gateway, job, request.headers.get("range"), headers=MEDIA_HEADERS)


@router.get("/{job_id}/peaks")
def get_peaks(request: Request, job_id: UUID, visitor: Reader) -> Response:
    """Return the waveform: twenty peaks a second, 0 to 1."""
    gateway = gateway_of(request)
    job = read(gateway, visitor.tenant, job_id)
    if job.status != JobStatus.SUCCEEDED or job.sha256 is None:
        raise not_found("audio")
    found = peaks.of_job(gateway, job)
    return answers.json(
        {"peaks": found, "duration": (job.duration_ms or 0) / 1000}, headers={"cache-control": "private, max-age=3600"}
    )


@router.get("/{job_id}/takes/{number}")
def get_take(request: Request, job_id: UUID, number: int, visitor: Reader) -> Response:
    """Return a take that was refused and kept."""
    gateway = gateway_of(request)
    job = read(gateway, visitor.tenant, job_id)
    with gateway.database.read() as connection:
        uri = next((one.take_uri for one in job_queries.attempts(connection, job_id) if one.number == number), None)
    found = None if uri is None else gateway.destinations.containing(uri, tenant=job.tenant, batch_id=job.batch_id)
    info = None if found is None else found.store.head(found.key)
    if found is None or info is None:
        raise not_found("take")
    return audio.object_streamed(
        found,
        size=info.size,
        content_type=info.content_type,
        range_header=request.headers.get("range"),
        headers=MEDIA_HEADERS,
    )


@router.post("/{job_id}/retry")
def retry_job(request: Request, job_id: UUID, action: Operating) -> Response:
    """Queue a job that finished without audio again."""
    gateway = gateway_of(request)
    job = read(gateway, action.visitor.tenant, job_id)
    with gateway.database.begin() as connection:
        states = tuple(TERMINAL - {JobStatus.SUCCEEDED})
        now = gateway.database.now(connection)
        changed = actions.retry(connection, filters.selection(job_ids=(job_id,)), states=states)
        note(connection, action, "retry job", str(job.id), "" if changed else UNCHANGED, now=now)
    gateway.on_new_jobs()
    return _back(job, "retried" if changed else "unchanged")


@router.post("/{job_id}/takes/{number}/choose")
def choose_take(request: Request, job_id: UUID, number: int, action: Operating) -> Response:
    """Make a take the audio of its job. Costs nothing."""
    gateway = gateway_of(request)
    job = read(gateway, action.visitor.tenant, job_id)
    try:
        chosen_takes.choose(gateway.database, gateway.destinations, job.id, number)
    except ChoiceError as error:
        raise ProblemError(Trouble.CONFLICT, f"{error.message[:1].upper()}{error.message[1:]}.") from None
    with gateway.database.begin() as connection:
        note(connection, action, "choose take", str(job.id), str(number), now=gateway.database.now(connection))
    return _back(job, "chosen")


@router.post("/{job_id}/takes/{number}/mark/{verdict}")
def mark_take(request: Request, job_id: UUID, number: int, verdict: Mark, action: Operating) -> Response:
    """Keep what a listener said of a take."""
    gateway = gateway_of(request)
    job = read(gateway, action.visitor.tenant, job_id)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        found = take_queries.bought(connection, Job.id == job.id)
        take = next((one for one in found if one.number == number), None)
        if take is None:
            raise not_found("take")
        voice = voice_of(job.voice_1, job.voice_2)
        row = take.record or unheard(job.id, number, job.tenant, job.batch_id, job.model, voice, now)
        store_takes.mark(connection, row, verdict)
        note(connection, action, f"mark take {verdict}", str(job.id), str(number), now=now)
    return _back(job, "marked")


@router.post("/{job_id}/cancel")
def cancel_job(request: Request, job_id: UUID, action: Operating) -> Response:
    """Cancel an unfinished job."""
    gateway = gateway_of(request)
    job = read(gateway, action.visitor.tenant, job_id)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        changed = actions.cancel(connection, filters.selection(job_ids=(job_id,)), now=now)
        note(connection, action, "cancel job", str(job.id), "" if changed else UNCHANGED, now=now)
    return _back(job, "cancelled" if changed else "unchanged")


@router.post("/{job_id}/delete")
def delete_job(request: Request, job_id: UUID, action: Operating) -> Response:
    """Delete the text and audio of a finished job."""
    gateway = gateway_of(request)
    job = read(gateway, action.visitor.tenant, job_id)
    if job.status not in TERMINAL:
        raise ProblemError(Trouble.CONFLICT, f"The job has not finished: it is {job.status}. Cancel it first.")
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        purges.ask(connection, filters.selection(job_ids=(job_id,)), now=now)
        note(connection, action, "delete job", str(job.id), now=now)
    Purger(gateway.database, gateway.destinations).run([job_id])
    return _back(job, "deleted")


def read(gateway: Gateway, tenant: str, job_id: UUID) -> JobEntry:
    with gateway.database.glance() as connection:
        entry = tenant_pages.job(connection, tenant, job_id)
    if entry is None:
        raise not_found("job")
    return entry


def _back(job: JobEntry, done: str) -> Response:
    return pages.see_other(f"/console/jobs/{job.id}?done={done}")
