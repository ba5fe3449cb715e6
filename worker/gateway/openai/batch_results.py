"""The results of a batch as OpenAI's output and error files, made from the rows whenever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any

from api_models.formats import AudioFormat
from api_models.status import TERMINAL, JobStatus
from worker.gateway import answers, views
from worker.gateway.openai import ids
from worker.gateway.parts import Gateway
from worker.store import openai_files
from worker.store.openai_files import BatchRequest
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import JobEntry

ROWS_PER_READ = 500


class Kind(StrEnum):
    """A file of results, by the prefix of its id."""

    OUTPUT = ids.OUTPUT
    """Jobs with audio."""
    ERRORS = ids.ERRORS
    """Jobs that finished without."""


def lines(gateway: Gateway, tenant: str, file_id: str, kind: Kind, base: str) -> Iterator[bytes]:
    """One line a job, in the order of the input. Raises OpenAIError for an unknown batch."""
    return _lines(gateway, _request(gateway, tenant, file_id, kind), kind, base)


def file_view(gateway: Gateway, tenant: str, file_id: str, kind: Kind, base: str) -> dict[str, Any]:
    request = _request(gateway, tenant, file_id, kind)
    return {
        "id": file_id,
        "object": "file",
        "bytes": sum(map(len, _lines(gateway, request, kind, base))),
        "created_at": int(request.created_at.timestamp()),
        "expires_at": None,
        "filename": f"{ids.made(ids.BATCH, request.id)}_{kind.name.lower()}.jsonl",
        "purpose": "batch_output",
        "status": "processed",
        "status_details": None,
    }


def _request(gateway: Gateway, tenant: str, file_id: str, kind: Kind) -> BatchRequest:
    batch_id = ids.parsed(kind.value, file_id)
    with gateway.database.read() as connection:
        request = None if batch_id is None else openai_files.batch(connection, tenant, batch_id)
    if request is None or request.errors is not None:
        raise ids.missing("file", file_id, "file_id")
    return request


def _lines(gateway: Gateway, request: BatchRequest, kind: Kind, base: str) -> Iterator[bytes]:
    after = None
    while True:
        with gateway.database.read() as connection:
            page = tenant_pages.in_order(connection, request.id, after=after, most=ROWS_PER_READ)
        for entry in page:
            has_audio = entry.status == JobStatus.SUCCEEDED
            if entry.status in TERMINAL and has_audio is (kind is Kind.OUTPUT):
                yield answers.line(_spoken(entry, base) if has_audio else _failed(entry))
        if len(page) < ROWS_PER_READ:
            return
        after = page[-1].id


def _spoken(entry: JobEntry, base: str) -> dict[str, Any]:
    body = {
        "url": f"{base}/v1/jobs/{entry.id}/audio",
        "expires_at": _expiry(entry),
        "format": entry.audio_format or str(AudioFormat.WAV),
        "duration": (entry.duration_ms or 0) / 1000,
        "cost": views.amount(entry.cost),
        "sha256": entry.sha256,
    }
    response = {"status_code": 200, "request_id": str(entry.id), "body": body}
    return {**_names(entry), "response": response, "error": None}


def _failed(entry: JobEntry) -> dict[str, Any]:
    code = {JobStatus.EXPIRED: "batch_expired", JobStatus.CANCELLED: "batch_cancelled"}
    message = entry.message or f"The job finished without audio: it is {entry.status}."
    error = {"code": code.get(JobStatus(entry.status)) or entry.code, "message": message}
    return {**_names(entry), "response": None, "error": error, "cost": views.amount(entry.cost)}


def _names(entry: JobEntry) -> dict[str, Any]:
    return {"id": ids.made(ids.REQUEST, entry.id), "custom_id": entry.custom_id}


def _expiry(entry: JobEntry) -> int | None:
    if entry.expires_after is None or entry.finished_at is None:
        return None
    return int((entry.finished_at + timedelta(seconds=entry.expires_after)).timestamp())
