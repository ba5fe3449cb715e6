"""`/openai/v1/batches`: files of speech requests as batches of jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from uuid_utils.compat import uuid7

from api_models.openai import SPEECH_ENDPOINT, WINDOWS, SpeechBatchIn
from api_models.status import TERMINAL, JobStatus
from worker.gateway import answers, batched_enqueue, parsing, strict_json
from worker.gateway.answers import Operator, Reader, Submitter, gateway_of
from worker.gateway.batched_enqueue import Batch
from worker.gateway.entries import Origin
from worker.gateway.middleware.api_keys import Caller, unauthenticated
from worker.gateway.openai import batch_lines, files, ids
from worker.gateway.openai.batch_lines import Reading
from worker.gateway.parts import Gateway
from worker.store import openai_files
from worker.store.openai_files import BatchRequest
from worker.store.queries import filters, tenant_pages
from worker.store.queries import jobs as store_views
from worker.store.queries.jobs import Counts
from worker.store.queries.tenant_pages import BatchEntry
from worker.store.transitions import actions

router = APIRouter(prefix="/openai/v1/batches", tags=["openai"], include_in_schema=False)

IN_MEMORY_BYTES: Final = 1024 * 1024
MAX_PER_PAGE: Final = 100


@router.post("")
async def create_batch(request: Request, caller: Submitter) -> Response:
    """Queue every request of a file, or none: a faulty file is a batch that failed, with all its errors."""
    gateway = gateway_of(request)
    answers.require_json(request)
    wanted = strict_json.parsed(SpeechBatchIn, await request.body())
    await run_in_threadpool(gateway.keyring.refuse_overspending, caller)
    origin = Origin.of(gateway.settings, caller, request.headers)
    record = await parsing.run(request, gateway.parsing, lambda _gone: _create(gateway, wanted, caller, origin))
    if record.errors is None:
        gateway.on_new_jobs()
    return answers.json(await run_in_threadpool(_view, gateway, record))


@router.get("")
def list_batches(
    request: Request,
    caller: Reader,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = 20,
) -> Response:
    gateway = gateway_of(request)
    before = None if after is None else ids.parsed(ids.BATCH, after)
    if after is not None and before is None:
        raise ids.missing("batch", after, "after")
    with gateway.database.read() as connection:
        found = openai_files.batches(connection, caller.tenant, before=before, most=limit)
    return answers.json(files.page([_view(gateway, record) for record in found], limit))


@router.get("/{batch_id}")
def get_batch(request: Request, batch_id: str, caller: Reader) -> Response:
    gateway = gateway_of(request)
    return answers.json(_view(gateway, _read(gateway, caller.tenant, batch_id)))


@router.post("/{batch_id}/cancel")
def cancel_batch(request: Request, batch_id: str, caller: Operator) -> Response:
    """Cancel all unfinished requests. Calls in flight are still paid for, and their results kept."""
    gateway = gateway_of(request)
    record = _read(gateway, caller.tenant, batch_id)
    if record.errors is None:
        with gateway.database.begin() as connection:
            now = gateway.database.now(connection)
            if actions.cancel(connection, filters.selection(batch_id=record.id), now=now):
                openai_files.note_cancelling(connection, record.id, now=now)
    return answers.json(_view(gateway, _read(gateway, caller.tenant, batch_id)))


def _create(gateway: Gateway, wanted: SpeechBatchIn, caller: Caller, origin: Origin) -> BatchRequest:
    file = files.read(gateway, origin.tenant, wanted.input_file_id, "input_file_id")
    now = gateway.now()
    expires_at = now + WINDOWS[wanted.completion_window]
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as content:
        for block in files.content(gateway, file):
            content.write(block)
        content.seek(0)
        found = _found(gateway, content, wanted, expires_at)
    if not gateway.keyring.is_current(caller):  # reading the file may have taken a while
        raise unauthenticated()
    made = BatchRequest(
        uuid7(),
        origin.tenant,
        file.id,
        wanted.completion_window,
        None if wanted.metadata is None else json.dumps(wanted.metadata),
        json.dumps(found.errors) if found.errors else None,
        now,
        expires_at,
    )
    if found.errors:
        with gateway.database.begin() as connection:
            openai_files.add_batch(connection, made)
        return made
    return _queue(gateway, found, made, Batch(file.name, None, wanted.max_cost), origin)


def _found(gateway: Gateway, content: IO[bytes], wanted: SpeechBatchIn, expires_at: datetime) -> Reading:
    expiry = wanted.output_expires_after
    kept = {} if expiry is None else {"expires_after": expiry.seconds}
    return batch_lines.read(content, gateway.dialect, {"deadline": expires_at, **kept})


def _queue(gateway: Gateway, found: Reading, made: BatchRequest, batch: Batch, origin: Origin) -> BatchRequest:
    """Write the jobs and the batch's row in one transaction; the row takes the id of the jobs' batch."""
    written: list[BatchRequest] = []

    def also(connection: Connection, batch_id: UUID) -> None:
        written.append(replace(made, id=batch_id))
        openai_files.add_batch(connection, written[0])

    result = batched_enqueue.write(gateway, found.lines, batch, origin, None, also=also)
    gateway.metrics.submitted.labels("batch").inc(result.jobs)
    return written[0]


def _read(gateway: Gateway, tenant: str, batch_id: str) -> BatchRequest:
    known = ids.parsed(ids.BATCH, batch_id)
    with gateway.database.read() as connection:
        record = None if known is None else openai_files.batch(connection, tenant, known)
    if record is None:
        raise ids.missing("batch", batch_id, "batch_id")
    return record


def _view(gateway: Gateway, record: BatchRequest) -> dict[str, Any]:
    with gateway.database.read() as connection:
        entry = tenant_pages.batch(connection, record.tenant, record.id)
        counts = store_views.counts(connection, store_views.of_batch(record.id))
    return view(record, entry, counts)


def view(record: BatchRequest, entry: BatchEntry | None, counts: Counts) -> dict[str, Any]:
    status = status_of(record, entry, counts)
    spoken = counts.of(JobStatus.SUCCEEDED)
    failed = counts.of(*(TERMINAL - {JobStatus.SUCCEEDED}))
    is_over = status in {"completed", "expired", "cancelled"}
    ended = None if entry is None or entry.finished_at is None else _seconds(entry.finished_at)
    errors = None if record.errors is None else {"object": "list", "data": json.loads(record.errors)}
    return {
        "id": ids.made(ids.BATCH, record.id),
        "object": "batch",
        "endpoint": SPEECH_ENDPOINT,
        "errors": errors,
        "input_file_id": ids.made(ids.FILE, record.file_id),
        "completion_window": record.completion_window,
        "status": status,
        "output_file_id": ids.made(ids.OUTPUT, record.id) if is_over and spoken else None,
        "error_file_id": ids.made(ids.ERRORS, record.id) if is_over and failed else None,
        "created_at": _seconds(record.created_at),
        "in_progress_at": None if errors else _seconds(record.created_at),
        "expires_at": _seconds(record.expires_at),
        "finalizing_at": ended,
        "completed_at": ended if status == "completed" else None,
        "failed_at": _seconds(record.created_at) if errors else None,
        "expired_at": ended if status == "expired" else None,
        "cancelling_at": None if record.cancelling_at is None else _seconds(record.cancelling_at),
        "cancelled_at": ended if status == "cancelled" else None,
        "request_counts": {"total": counts.total, "completed": spoken, "failed": failed},
        "metadata": None if record.labels is None else json.loads(record.labels),
    }


def status_of(record: BatchRequest, entry: BatchEntry | None, counts: Counts) -> str:
    """OpenAI's word for the state of a batch. It ends once its own result files are written."""
    if record.errors is not None or entry is None:
        return "failed"
    if counts.of(*TERMINAL) < counts.total:
        return "in_progress" if record.cancelling_at is None else "cancelling"
    if entry.finished_at is None:
        return "finalizing" if record.cancelling_at is None else "cancelling"
    if record.cancelling_at is not None:
        return "cancelled"
    return "expired" if counts.of(JobStatus.EXPIRED) else "completed"


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
