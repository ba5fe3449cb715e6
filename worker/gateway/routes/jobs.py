"""`/v1/jobs`: submit, read, cancel and retry single jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement, Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models import job_filter
from api_models.callbacks import Callback
from api_models.http_problems import Trouble
from api_models.jobs import AttemptList, JobIn, JobPage, JobView, PartList
from api_models.problems import Fault, InvalidInputError
from api_models.status import TERMINAL, JobStatus
from api_models.timings import TimingsFormat
from worker.gateway import answers, audio, entries, job_timings, strict_json, views
from worker.gateway.answers import (
    WAIT_HEADER,
    Operator,
    Reader,
    Submitter,
    gateway_of,
    prefers_audio,
    problems,
    wait_seconds,
)
from worker.gateway.entries import Origin
from worker.gateway.metrics import note_wait
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid, not_found
from worker.gateway.spoken import spoken
from worker.gateway.uploads import NewJob
from worker.maintenance.purger import Purger
from worker.producer import documents
from worker.store import documents as store_documents
from worker.store.access.idempotency import IdempotentRequest, Recorded
from worker.store.queries import filters, job_search, tenant_pages
from worker.store.queries import jobs as store_views
from worker.store.queries.tenant_pages import JobEntry, PageFilter
from worker.store.transitions import actions, purges
from worker.webhooks.addresses import checked_url
from worker.webhooks.errors import UnusableUrlError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

POLL_SECONDS: Final = 2
MAX_PER_PAGE: Final = 500
MAX_IDEMPOTENCY_KEY: Final = 200
EXAMPLE: Final = {"text": "The ferry leaves at ten past four.", "voice_1": "Kore", "tags": ["harbour"]}
IDEMPOTENCY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key is executed once; keys expire after 48 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[!-~]+$"},
}
_ACCEPTED: Final[dict[str, Any]] = {
    "description": "Accepted: the job is stored.",
    "headers": {
        "Location": {"description": "The URL of the job.", "schema": {"type": "string"}},
        **answers.RETRY_AFTER,
    },
}
_AUDIO: Final = {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={
        202: _ACCEPTED,
        200: {"model": JobView, "description": "The job finished within the requested wait.", "content": _AUDIO},
        **problems(302, 402, 408, 409),
        302: {"description": "The job finished within the requested wait; its audio is in a bucket."},
    },
    openapi_extra=answers.with_body(JobIn, EXAMPLE, headers=(IDEMPOTENCY_HEADER, WAIT_HEADER)),
)
async def create_job(request: Request, caller: Submitter) -> Response:
    """Submit one job. It is durable once this responds with 202."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await request.body()
    seconds = wait_seconds(request.headers)
    once = idempotency_of(request, caller, hashlib.sha256(body).hexdigest())
    wanted = await strict_json.parsed_body(JobIn, body, context=gateway.context)
    check_receiver(gateway, wanted)
    if caller.key is not None and caller.key.budget is not None:
        await run_in_threadpool(gateway.keyring.refuse_overspending, caller)
    origin = Origin.of(gateway.settings, caller, request.headers)
    if wanted.is_to_be_prepared:
        (wanted,) = await run_in_threadpool(spoken, gateway, caller.tenant, [wanted])
    row = entries.entry(wanted, origin, now=gateway.now())
    new: NewJob = row
    if documents.is_long(wanted, limit := gateway.settings.max_text_bytes):
        new = await run_in_threadpool(entries.document, wanted, row, origin, limit)
        row = new.job
    made = await gateway.submissions.put(new, once)
    if made is not None:
        return await _replayed(gateway, made, once)
    gateway.keyring.count_submitted(caller, wanted.model)
    gateway.metrics.submitted.labels("job").inc()
    if seconds:
        return await _await_result(request, gateway, caller, row, seconds)
    return _accepted(gateway, views.new_job(row))


def _accepted(gateway: Gateway, view: dict[str, Any], **headers: str) -> Response:
    given = {"location": f"{gateway.base}/v1/jobs/{view['id']}", "retry-after": str(POLL_SECONDS)}
    return answers.json(view, 202, given | {name.replace("_", "-"): value for name, value in headers.items()})


async def _replayed(gateway: Gateway, made: Recorded, once: IdempotentRequest | None) -> Response:
    if once is None or made.request.body_hash != once.body_hash or made.job_id is None:
        raise ProblemError(Trouble.KEY_REUSED, "This key belongs to another request; use a new key.")
    entry = await run_in_threadpool(_read, gateway, made.request.tenant, made.job_id)
    return _accepted(gateway, views.job(entry, gateway.base), idempotency_replayed="true")


async def _await_result(
    request: Request, gateway: Gateway, caller: Caller, row: dict[str, Any], seconds: float
) -> Response:
    applied = {"preference-applied": f"wait={seconds:g}"}
    note_wait(request.scope)
    if not await gateway.watch.until_finished(row["id"], seconds):
        return _accepted(gateway, views.new_job(row), **applied)
    await gateway.keyring.refuse_outdated(caller)
    entry = await run_in_threadpool(_read, gateway, caller.tenant, row["id"])
    if entry.status == JobStatus.SUCCEEDED and prefers_audio(request.headers):
        return await run_in_threadpool(audio.of_job, gateway, entry, request.headers.get("range"))
    return answers.json(
        views.job(entry, gateway.base), 200, {"location": f"{gateway.base}/v1/jobs/{entry.id}", **applied}
    )


class JobQuery(BaseModel):
    status: list[JobStatus] = []
    batch_id: UUID | None = None
    tag: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    code: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    filter: Annotated[str, Field(max_length=job_filter.MAX_CHARACTERS)] = ""
    """Terms such as `state:failed cost:>0.02 since:2h "a phrase"`, which must all match; see the console's help."""
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PER_PAGE)] = 50

    def page_filter(self, tenant: str) -> PageFilter:
        """Return the filter for the store. Raises ProblemError for values that no row can hold."""
        reject_unprintable(tag=self.tag, code=self.code)
        since, until = in_calendar(self.since, "since"), in_calendar(self.until, "until")
        return PageFilter(tenant, tuple(self.status), self.batch_id, self.tag, self.code, since, until)


@router.get("", response_model=JobPage, responses=problems())
def list_jobs(request: Request, caller: Reader, query: Annotated[JobQuery, Query()]) -> Response:
    """List jobs, the newest first."""
    gateway = gateway_of(request)
    wanted = query.page_filter(caller.tenant)
    with gateway.database.read() as connection:
        also = _matching(connection, query.filter, caller.tenant, gateway.database.now(connection))
        found = tenant_pages.jobs(connection, wanted, before=query.cursor, most=query.limit, also=also)
    return answers.json(views.page("jobs", [views.job(entry, gateway.base) for entry in found], query.limit))


def _matching(connection: Connection, text: str, tenant: str, now: datetime) -> Sequence[ColumnElement[bool]]:
    """Return the conditions of a filter. Raises ProblemError: it is faulty, or names another tenant."""
    if not text.strip():
        return ()
    try:
        wanted = job_filter.parse(text, now=now).of_tenant(tenant)
    except InvalidInputError as error:
        raise invalid(error.faults) from None
    return job_search.search(connection, wanted).terms


@router.get(
    "/{job_id}",
    response_model=JobView,
    responses={200: {"headers": answers.RETRY_AFTER}, **problems(404)},
    openapi_extra={"parameters": [WAIT_HEADER]},
)
async def get_job(request: Request, job_id: UUID, caller: Reader) -> Response:
    """Return one job. `Prefer: wait=10` responds when it has finished, or after ten seconds."""
    gateway = gateway_of(request)
    seconds = wait_seconds(request.headers)
    entry = await run_in_threadpool(_read, gateway, caller.tenant, job_id)
    if seconds and entry.status not in TERMINAL:
        note_wait(request.scope)
        if await gateway.watch.until_finished(job_id, seconds):
            await gateway.keyring.refuse_outdated(caller)
            entry = await run_in_threadpool(_read, gateway, caller.tenant, job_id)
    headers = {} if entry.status in TERMINAL else {"retry-after": str(POLL_SECONDS)}
    return answers.json(views.job(entry, gateway.base), 200, headers)


@router.get("/{job_id}/attempts", response_model=AttemptList, responses=problems(404))
def list_attempts(request: Request, job_id: UUID, caller: Reader) -> Response:
    """List the attempts of a job with their results and costs."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, job_id)
    with gateway.database.read() as connection:
        found = store_views.attempts(connection, job_id)
    return answers.json({"attempts": [views.attempt(record) for record in found]})


@router.get("/{job_id}/parts", response_model=PartList, responses=problems(404))
def list_parts(request: Request, job_id: UUID, caller: Reader) -> Response:
    """List the parts of a document with their states and takes; none for a text of one call."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, job_id)
    with gateway.database.read() as connection:
        found, record = store_documents.parts(connection, job_id), store_documents.by_id(connection, job_id)
    return answers.json(views.parts(found, record))


@router.get(
    "/{job_id}/audio",
    response_class=Response,
    responses={
        200: {"content": _AUDIO, "description": "The audio, if it is stored in a folder."},
        206: {"content": _AUDIO, "description": "The requested range."},
        302: {"description": "A temporary URL of the audio, if it is stored in a bucket."},
        **problems(404, 409, 410, 416, 502),
    },
    openapi_extra={"parameters": [audio.RANGE_HEADER]},
)
def get_audio(request: Request, job_id: UUID, caller: Reader) -> Response:
    """Return the audio: streamed from a folder, with ranges, or a redirect to the bucket."""
    gateway = gateway_of(request)
    entry = _read(gateway, caller.tenant, job_id)
    if entry.status != JobStatus.SUCCEEDED:
        headers = {} if entry.status in TERMINAL else {"retry-after": str(POLL_SECONDS)}
        raise ProblemError(Trouble.CONFLICT, f"The job has no audio: it is {entry.status}.", headers=headers)
    return audio.of_job(gateway, entry, request.headers.get("range"))


@router.get(
    "/{job_id}/timings",
    response_class=Response,
    responses={
        200: {
            "content": {"application/json": {}, "text/plain": {"schema": {"type": "string"}}},
            "description": "When its characters, words, sentences and parts are heard; or captions.",
        },
        **problems(404, 502),
    },
)
def get_timings(
    request: Request,
    job_id: UUID,
    caller: Reader,
    form: Annotated[TimingsFormat, Query(alias="format")] = TimingsFormat.JSON,
) -> Response:
    """Return the times stored beside the audio of a job that was submitted with `timings`."""
    gateway = gateway_of(request)
    return job_timings.of_job(gateway, _read(gateway, caller.tenant, job_id), form)


@router.delete(
    "/{job_id}",
    response_model=JobView,
    responses={
        202: {"model": JobView, "description": "The audio store is unavailable; the deletion will be retried."},
        **problems(404, 409),
    },
)
def delete_job(request: Request, job_id: UUID, caller: Operator) -> Response:
    """Delete the text and audio of a finished job. The row and its cost stay."""
    gateway = gateway_of(request)
    entry = _read(gateway, caller.tenant, job_id)
    if entry.status not in TERMINAL:
        raise ProblemError(Trouble.CONFLICT, f"The job has not finished: it is {entry.status}. Cancel it first.")
    with gateway.database.begin() as connection:
        which = filters.selection(job_ids=(job_id,))
        purges.ask(connection, which, now=gateway.database.now(connection))
    Purger(gateway.database, gateway.destinations).run([job_id])
    entry = _read(gateway, caller.tenant, job_id)
    return answers.json(views.job(entry, gateway.base), 202 if entry.purged_at is None else 200)


@router.post("/{job_id}/cancel", response_model=JobView, responses=problems(404, 409))
def cancel_job(request: Request, job_id: UUID, caller: Operator) -> Response:
    """Cancel a job. A call in flight is still paid for, and its cost recorded."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, job_id)
    with gateway.database.begin() as connection:
        which = filters.selection(job_ids=(job_id,))
        cancelled = actions.cancel(connection, which, now=gateway.database.now(connection))
    entry = _read(gateway, caller.tenant, job_id)
    if not cancelled and entry.status != JobStatus.CANCELLED:
        raise ProblemError(Trouble.CONFLICT, f"The job has already finished: it is {entry.status}.")
    return answers.json(views.job(entry, gateway.base))


@router.post("/{job_id}/retry", response_model=JobView, responses=problems(404, 409))
def retry_job(request: Request, job_id: UUID, caller: Operator) -> Response:
    """Retry a job that failed, expired or was cancelled, under the same id."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, job_id)
    with gateway.database.begin() as connection:
        states = tuple(TERMINAL - {JobStatus.SUCCEEDED})
        retried = actions.retry(connection, filters.selection(job_ids=(job_id,)), states=states)
    entry = _read(gateway, caller.tenant, job_id)
    if not retried:
        raise ProblemError(
            Trouble.CONFLICT, f"Only jobs that finished without audio can be retried: it is {entry.status}."
        )
    gateway.on_new_jobs()
    return answers.json(views.job(entry, gateway.base))


def idempotency_of(request: Request, caller: Caller, body_hash: str) -> IdempotentRequest | None:
    """Return the idempotency key of the request. Raises ProblemError if it is malformed."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    key = given.strip()
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY or not all("!" <= character <= "~" for character in key):
        message = f"must be 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters"
        raise invalid([Fault(field="Idempotency-Key", message=message)])
    request_text = f"{request.url.path}?{request.url.query}\n{body_hash}"
    return IdempotentRequest(
        caller.tenant, key, hashlib.sha256(request_text.encode(errors="surrogatepass")).hexdigest()
    )


def check_receiver(gateway: Gateway, wanted: Callback) -> None:
    """Raise ProblemError if the job's or batch's own webhook may not be sent to its address."""
    if wanted.receiver is not None:
        check_callback(gateway, wanted.receiver, wanted.receiver_field)


def check_callback(gateway: Gateway, url: str, field: str) -> None:
    """Raise ProblemError if webhooks to this address are not allowed."""
    try:
        checked_url(url, gateway.allowed)
    except UnusableUrlError as error:
        raise invalid([Fault(field=field, message=str(error))]) from None


def reject_unprintable(**given: str | None) -> None:
    """Raise ProblemError for text that no row can hold."""
    faults = [
        Fault(field=name, message="has a character that cannot be stored")
        for name, value in given.items()
        if value is not None and not value.isprintable()
    ]
    if faults:
        raise invalid(faults)


def in_calendar(at: datetime | None, field: str) -> datetime | None:
    """Return the date. Raises ProblemError if it cannot be represented in every time zone."""
    if at is None:
        return None
    if not 1 < at.year < 9999:
        raise invalid([Fault(field=field, message="is outside the supported range of dates")])
    return at


def _read(gateway: Gateway, tenant: str, job_id: UUID) -> JobEntry:
    with gateway.database.glance() as connection:
        entry = tenant_pages.job(connection, tenant, job_id)
    if entry is None:
        raise not_found("job")
    return entry
