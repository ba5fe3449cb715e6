"""`/v1/batches`: jobs submitted together, as JSON or as a sheet, and their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from api_models.batches import BatchIn, BatchPage, BatchView, ResultFile, SheetTemplate
from api_models.callbacks import Callback
from api_models.encodings import OptionalBitrate, OptionalRate, OptionalTagText, OptionalTrack
from api_models.formats import LOUDNESS_RANGE, AudioFormat
from api_models.http_problems import Trouble
from api_models.jobs import Changed
from api_models.status import TERMINAL, JobStatus
from api_models.timings import OptionalTimings
from api_models.values import OptionalFlag, OptionalSpan
from worker.gateway import (
    answers,
    archive,
    audio,
    batched_enqueue,
    parsing,
    strict_json,
    views,
)
from worker.gateway.answers import Operator, Reader, Submitter, gateway_of, problems
from worker.gateway.batched_enqueue import IsGone, Sheet
from worker.gateway.entries import Origin
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.middleware.guard import ClientGoneError
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, not_found
from worker.gateway.routes.jobs import IDEMPOTENCY_HEADER, MAX_PER_PAGE, POLL_SECONDS, check_receiver, idempotency_of
from worker.intake.kinds import Kind
from worker.intake.row_defaults import merged
from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults
from worker.results.files import CONTENT_TYPES
from worker.store import batches as store_batches
from worker.store.access.idempotency import IdempotentRequest
from worker.store.queries import filters, tenant_pages
from worker.store.queries import jobs as store_views
from worker.store.queries.tenant_pages import BatchEntry
from worker.store.transitions import actions

router = APIRouter(prefix="/v1/batches", tags=["batches"])

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
ROWS_PER_READ: Final = 500
KINDS: Final = {
    "text/csv": Kind.CSV,
    "text/tab-separated-values": Kind.TSV,
    "application/x-ndjson": Kind.JSONL,
    "application/jsonl": Kind.JSONL,
    "text/plain": Kind.PLAIN,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind.XLSX,
    "application/vnd.oasis.opendocument.spreadsheet": Kind.ODS,
    "application/x-subrip": Kind.SUBTITLES,
    "text/vtt": Kind.SUBTITLES,
}
EXAMPLE: Final = {"name": "welcome", "jobs": [{"text": "Good morning.", "custom_id": "a"}, {"text": "Good night."}]}
_DEFAULTS: Final = {field.name for field in fields(Defaults)}
_LINES: Final = {"application/x-ndjson": {"schema": {"type": "string"}}}
_FILES: Final = {media: {"schema": {"type": "string"}} for media in sorted(set(CONTENT_TYPES.values()))}
_ZIP: Final = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}


_ColumnName = Annotated[str, Field(min_length=1, max_length=200)]


class SheetQuery(Callback, BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = "batch"
    max_cost: Annotated[Decimal | None, Field(ge=0, le=1_000_000, decimal_places=12)] = None
    model: Annotated[str | None, Field(max_length=64)] = None
    voice_1: Annotated[str | None, Field(max_length=64)] = None
    voice_2: Annotated[str | None, Field(max_length=64)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    format: AudioFormat | None = None
    loudness: Annotated[float | None, Field(ge=LOUDNESS_RANGE[0], le=LOUDNESS_RANGE[1])] = None
    sample_rate: OptionalRate = None
    mp3_bitrate: OptionalBitrate = None
    title: OptionalTagText = None
    artist: OptionalTagText = None
    album: OptionalTagText = None
    track: OptionalTrack = None
    expires_after: OptionalSpan = None
    timings: OptionalTimings = None
    provenance: OptionalFlag = None
    key_template: SheetTemplate = None
    sheet: Annotated[list[_ColumnName], Field(max_length=100, description="Worksheets of a workbook, by name.")] = []
    all_sheets: Annotated[bool, Field(description="All visible worksheets of a workbook that have rows.")] = False
    text_column: Annotated[_ColumnName | None, Field(description="The column of texts.")] = None
    id_column: Annotated[_ColumnName | None, Field(description="The column with the names of the audio files.")] = None
    ignore_column: Annotated[list[_ColumnName], Field(max_length=100, description="Columns to ignore.")] = []
    encoding: Annotated[str | None, Field(max_length=40, description="Encoding of a text file other than UTF-8.")] = (
        None
    )

    def options_for(self, kind: Kind) -> Sheet:
        options = SheetOptions(
            tuple(self.sheet),
            self.all_sheets,
            self.text_column,
            self.id_column,
            tuple(self.ignore_column),
            self.encoding,
            over_http=True,
        )
        return Sheet(kind, Defaults(**self.model_dump(include=_DEFAULTS)), options)


@router.post(
    "",
    status_code=202,
    response_model=BatchView,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}, **problems(402, 408, 409)},
    openapi_extra=answers.with_body(BatchIn, EXAMPLE, others=tuple(KINDS), headers=(IDEMPOTENCY_HEADER,)),
)
async def create_batch(request: Request, caller: Submitter, query: Annotated[SheetQuery, Query()]) -> Response:
    """Submit many texts: JSON, or a sheet with the options in the query.

    Sheets are CSV, TSV, JSONL, .xlsx, .ods, subtitles or plain lines.

    All of it is accepted, or nothing; every error is reported at once.
    """
    gateway = gateway_of(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    await run_in_threadpool(gateway.keyring.refuse_overspending, caller)
    with SpooledTemporaryFile(max_size=parsing.IN_MEMORY_BYTES) as content:
        digest = await parsing.spool(request, content, MAX_JSON_BYTES if media == "application/json" else None)
        origin = Origin.of(gateway.settings, caller, request.headers)
        once = idempotency_of(request, caller, digest)
        if media == "application/json":
            strict_json.reject_unknown(request.query_params.keys(), ())
            work = partial(_from_json, gateway, content, origin, once)
        elif kind := KINDS.get(media):
            work = partial(_from_sheet, gateway, content, query, kind, origin=origin, once=once)
        else:
            raise ProblemError(
                Trouble.WRONG_TYPE, f"Send application/json or one of {', '.join(KINDS)}, with its Content-Type."
            )
        result = await parsing.run(request, gateway.parsing, work)
    gateway.on_new_jobs()
    gateway.metrics.submitted.labels("batch").inc(result.jobs)
    view = await run_in_threadpool(_view, gateway, caller.tenant, result.batch_id, result.warnings)
    headers = {"location": f"{gateway.base}/v1/batches/{result.batch_id}", "retry-after": str(POLL_SECONDS)}
    return answers.json(view, 202, headers | ({} if result.jobs else {"idempotency-replayed": "true"}))


def _from_json(
    gateway: Gateway, content: IO[bytes], origin: Origin, once: IdempotentRequest | None, is_gone: IsGone
) -> batched_enqueue.BatchResult:
    submitted = strict_json.parsed(BatchIn, content.read())
    check_receiver(gateway, submitted)
    rows = batched_enqueue.validated([merged(submitted.defaults(), job) for job in submitted.jobs], gateway, is_gone)
    batch = batched_enqueue.Batch(submitted.name, submitted.receiver, submitted.max_cost, submitted.key_template)
    result = batched_enqueue.write(gateway, rows, batch, origin, once)
    return replace(result, warnings=batched_enqueue.warnings(rows, batched_enqueue.item))


def _from_sheet(
    gateway: Gateway,
    content: IO[bytes],
    query: SheetQuery,
    kind: Kind,
    is_gone: IsGone,
    *,
    origin: Origin,
    once: IdempotentRequest | None,
) -> batched_enqueue.BatchResult:
    check_receiver(gateway, query)
    rows = batched_enqueue.read(content, query.options_for(kind), gateway, is_gone)
    batched_enqueue.check_template(query.key_template, rows)
    batch = batched_enqueue.Batch(query.name, query.receiver, query.max_cost, query.key_template)
    result = batched_enqueue.write(gateway, rows, batch, origin, once)
    return replace(result, warnings=batched_enqueue.warnings(rows))


@router.get("", response_model=BatchPage, responses=problems())
def list_batches(
    request: Request,
    caller: Reader,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = 50,
) -> Response:
    """List batches, the newest first."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = tenant_pages.batches(connection, caller.tenant, before=cursor, most=limit)
        counted = [
            views.batch(entry, store_views.counts(connection, store_views.of_batch(entry.id))) for entry in found
        ]
    return answers.json(views.page("batches", counted, limit))


@router.get("/{batch_id}", response_model=BatchView, responses={200: {"headers": answers.RETRY_AFTER}, **problems(404)})
def get_batch(request: Request, batch_id: UUID, caller: Reader) -> Response:
    """Return one batch and its progress."""
    view = _view(gateway_of(request), caller.tenant, batch_id)
    return answers.json(view, 200, {} if view["finished"] else {"retry-after": str(POLL_SECONDS)})


@router.post("/{batch_id}/cancel", response_model=Changed, responses=problems(404))
def cancel_batch(request: Request, batch_id: UUID, caller: Operator) -> Response:
    """Cancel all unfinished jobs. Calls in flight are still paid for."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, batch_id)
    with gateway.database.begin() as connection:
        which = filters.selection(batch_id=batch_id)
        changed = actions.cancel(connection, which, now=gateway.database.now(connection))
    return answers.json({"jobs": changed})


@router.post("/{batch_id}/retry", response_model=Changed, responses=problems(404))
def retry_batch(
    request: Request,
    batch_id: UUID,
    caller: Operator,
    code: Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] = None,
) -> Response:
    """Retry all jobs that finished without audio, or only those with this code."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, batch_id)
    with gateway.database.begin() as connection:
        which = filters.selection(batch_id=batch_id, code=code)
        changed = actions.retry(connection, which, states=tuple(TERMINAL - {JobStatus.SUCCEEDED}))
    gateway.on_new_jobs()
    return answers.json({"jobs": changed})


@router.post("/{batch_id}/pause", response_model=BatchView, responses=problems(404))
def pause_batch(request: Request, batch_id: UUID, caller: Operator) -> Response:
    """Hold all queued jobs until the batch is resumed. Calls in flight continue; pausing twice changes nothing."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, batch_id)
    with gateway.database.begin() as connection:
        store_batches.pause(connection, batch_id, now=gateway.database.now(connection))
    return answers.json(_view(gateway, caller.tenant, batch_id))


@router.post("/{batch_id}/resume", response_model=BatchView, responses=problems(404))
def resume_batch(request: Request, batch_id: UUID, caller: Operator) -> Response:
    """Resume a paused batch. A batch held after refused takes may try a few more before it is held again."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, batch_id)
    with gateway.database.begin() as connection:
        store_batches.resume(connection, batch_id, now=gateway.database.now(connection))
    gateway.on_new_jobs()
    return answers.json(_view(gateway, caller.tenant, batch_id))


@router.get(
    "/{batch_id}/files/{name}",
    response_class=Response,
    responses={
        200: {"content": _FILES, "description": "The file."},
        302: {"description": "The URL of the file.", "headers": {"Location": {"schema": {"type": "string"}}}},
        **problems(404, 409, 410, 502),
    },
)
def get_file(request: Request, batch_id: UUID, name: ResultFile, caller: Reader) -> Response:
    """Return a result file, written next to the audio once the batch has finished; until then, use its results."""
    gateway = gateway_of(request)
    entry = _read(gateway, caller.tenant, batch_id)
    if entry.results_uri is None:
        raise ProblemError(
            Trouble.CONFLICT, "The result files are not written yet; use `results` for the current state."
        )
    return audio.of_results(gateway, entry, name)


@router.get(
    "/{batch_id}/results",
    response_class=Response,
    responses={200: {"content": _LINES, "description": "One job per line."}, **problems(404)},
)
def get_results(request: Request, batch_id: UUID, caller: Reader) -> Response:
    """Return all jobs in submission order, one JSON object per line, with their current state."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, batch_id)
    lines = (answers.line(views.job(entry, gateway.base)) for entry in _entries(gateway, caller, batch_id))
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.get(
    "/{batch_id}/zip",
    response_class=Response,
    responses={200: {"content": _ZIP, "description": "A zip archive."}, **problems(404, 410, 502)},
)
def get_zip(request: Request, batch_id: UUID, caller: Reader) -> Response:
    """Return all available audio in one archive, with `results.jsonl`."""
    gateway = gateway_of(request)
    entry = _read(gateway, caller.tenant, batch_id)
    headers = {"content-disposition": f'attachment; filename="{entry.id}.zip"'}
    content = archive.of(gateway, _entries(gateway, caller, batch_id))
    return StreamingResponse(content, headers=headers, media_type="application/zip")


def _entries(gateway: Gateway, caller: Caller, batch_id: UUID) -> Iterator[tenant_pages.JobEntry]:
    """Read page by page: a large batch needs little memory and holds no transaction open.

    Raises ClientGoneError, which cuts the response off, if the key was revoked meanwhile.
    """
    after: UUID | None = None
    while True:
        if not gateway.keyring.is_current(caller):
            raise ClientGoneError
        with gateway.database.read() as connection:
            page = tenant_pages.in_order(connection, batch_id, after=after, most=ROWS_PER_READ)
        yield from page
        if len(page) < ROWS_PER_READ:
            return
        after = page[-1].id


def _read(gateway: Gateway, tenant: str, batch_id: UUID) -> BatchEntry:
    with gateway.database.read() as connection:
        entry = tenant_pages.batch(connection, tenant, batch_id)
    if entry is None:
        raise not_found("batch")
    return entry


def _view(gateway: Gateway, tenant: str, batch_id: UUID, warnings: Sequence[str] = ()) -> dict[str, Any]:
    entry = _read(gateway, tenant, batch_id)
    with gateway.database.read() as connection:
        counts = store_views.counts(connection, store_views.of_batch(batch_id))
    return views.batch(entry, counts, warnings)
