"""`/openai/v1/files`: files of requests, and the results of batches, which are read from the jobs' rows.

Weakness: a deleted row whose object could not be removed leaves the object behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from python_multipart.exceptions import MultipartParseError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from uuid_utils.compat import uuid7

from api_models.problems import Fault
from worker.artifacts.store import ArtifactStore
from worker.gateway import answers
from worker.gateway.answers import Operator, Reader, Submitter, gateway_of
from worker.gateway.openai import batch_results, ids
from worker.gateway.openai.batch_results import Kind
from worker.gateway.openai.errors import INVALID, OpenAIError
from worker.gateway.parts import Gateway
from worker.gateway.problems import invalid
from worker.store import openai_files
from worker.store.openai_files import FileRecord

router = APIRouter(prefix="/openai/v1/files", tags=["openai"], include_in_schema=False)

MEDIA: Final = "application/jsonl"
BLOCK_BYTES: Final = 1024 * 1024
MAX_FIELDS: Final = 20
MAX_PER_PAGE: Final = 100
_KNOWN: Final = frozenset({"file", "purpose"})


@router.post("")
async def create_file(request: Request, caller: Submitter) -> Response:
    gateway = gateway_of(request)
    try:
        async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
            faults = list(_faults(dict(form)))
            if faults:
                raise invalid(faults)
            await gateway.keyring.refuse_outdated(caller)  # the form may have come slowly
            upload = form["file"]
            assert isinstance(upload, UploadFile)  # noqa: S101 - checked by _faults
            record = await run_in_threadpool(
                _store, gateway, caller.tenant, upload.filename or "batch.jsonl", upload.file
            )
    except (MultipartParseError, HTTPException) as error:
        detail = error.detail if isinstance(error, HTTPException) else str(error)
        raise OpenAIError(400, INVALID, f"The form cannot be parsed: {detail}", code="malformed") from None
    return answers.json(_view(record))


@router.get("")
def list_files(
    request: Request,
    caller: Reader,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = MAX_PER_PAGE,
    purpose: str | None = None,
) -> Response:
    before = None if after is None else ids.parsed(ids.FILE, after)
    if after is not None and before is None:
        raise ids.missing("file", after, "after")
    with gateway_of(request).database.read() as connection:
        found = openai_files.files(connection, caller.tenant, before=before, most=limit)
    views = [_view(record) for record in found] if purpose in {None, "batch"} else []
    return answers.json(page(views, limit))


@router.get("/{file_id}")
def get_file(request: Request, file_id: str, caller: Reader) -> Response:
    gateway = gateway_of(request)
    if (kind := _result_kind(file_id)) is not None:
        return answers.json(batch_results.file_view(gateway, caller.tenant, file_id, kind, _base(request)))
    return answers.json(_view(read(gateway, caller.tenant, file_id)))


@router.get("/{file_id}/content")
def get_content(request: Request, file_id: str, caller: Reader) -> Response:
    gateway = gateway_of(request)
    if (kind := _result_kind(file_id)) is not None:
        lines = batch_results.lines(gateway, caller.tenant, file_id, kind, _base(request))
        return StreamingResponse(lines, media_type=MEDIA)
    return StreamingResponse(content(gateway, read(gateway, caller.tenant, file_id)), media_type=MEDIA)


@router.delete("/{file_id}")
def delete_file(request: Request, file_id: str, caller: Operator) -> Response:
    """Delete an uploaded file. Batches made from it are not affected."""
    gateway = gateway_of(request)
    if _result_kind(file_id) is not None:
        raise OpenAIError(400, INVALID, "Results are deleted with their jobs: DELETE /v1/jobs/{id}.", param="file_id")
    record = read(gateway, caller.tenant, file_id)
    store = _store_of(gateway)
    with gateway.database.begin() as connection:
        openai_files.forget_file(connection, caller.tenant, record.id)
    if (key := store.key_of(record.uri)) is not None:
        store.delete(key, sha256=record.sha256)
    return answers.json({"id": file_id, "object": "file", "deleted": True})


def read(gateway: Gateway, tenant: str, file_id: str, param: str = "file_id") -> FileRecord:
    """Return the row of an uploaded file. Raises OpenAIError for an unknown one."""
    known = ids.parsed(ids.FILE, file_id)
    with gateway.database.read() as connection:
        record = None if known is None else openai_files.file(connection, tenant, known)
    if record is None:
        raise ids.missing("file", file_id, param)
    return record


def content(gateway: Gateway, record: FileRecord) -> Iterator[bytes]:
    """The bytes of an uploaded file, in blocks. Raises OpenAIError if the store has lost them."""
    store = _store_of(gateway)
    key = store.key_of(record.uri)
    blocks = None if key is None else store.read(key, sha256=record.sha256)
    if blocks is None:
        raise OpenAIError(410, INVALID, "The file's content is missing from the store; upload it again.", code="gone")
    return blocks


def page(views: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    return {
        "object": "list",
        "data": views,
        "first_id": views[0]["id"] if views else None,
        "last_id": views[-1]["id"] if views else None,
        "has_more": len(views) == limit,
    }


def _faults(form: dict[str, Any]) -> Iterator[Fault]:
    if not isinstance(form.get("file"), UploadFile):
        yield Fault(field="file", message="is missing; send the file as a part of the form")
    if form.get("purpose") != "batch":
        yield Fault(field="purpose", message="must be batch")
    for name in sorted(form.keys() - _KNOWN):
        yield Fault(field=name[:64], message="is not supported; delete the file when it is no longer needed")


def _store(gateway: Gateway, tenant: str, name: str, source: IO[bytes]) -> FileRecord:
    store, file_id, digest, size = _store_of(gateway), uuid7(), hashlib.sha256(), 0
    with NamedTemporaryFile(prefix="ttsq-upload-") as copy:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            copy.write(block)
        copy.flush()
        key = _key(tenant, file_id)
        store.put(key, Path(copy.name), content_type=MEDIA, sha256=digest.hexdigest(), metadata={})
    record = FileRecord(file_id, tenant, _printable(name), size, digest.hexdigest(), store.uri(key), gateway.now())
    with gateway.database.begin() as connection:
        openai_files.add_file(connection, record)
    return record


def _store_of(gateway: Gateway) -> ArtifactStore:
    return gateway.destinations.store(gateway.destinations.default_url)


def _key(tenant: str, file_id: UUID) -> str:
    return f"{hashlib.sha256(tenant.encode()).hexdigest()[:16]}/openai-files/{file_id.hex}.jsonl"


def _printable(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:200] or "batch.jsonl"


def _result_kind(file_id: str) -> Kind | None:
    return next((kind for kind in Kind if file_id.startswith(kind.value)), None)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _view(record: FileRecord) -> dict[str, Any]:
    return {
        "id": ids.made(ids.FILE, record.id),
        "object": "file",
        "bytes": record.size,
        "created_at": int(record.created_at.timestamp()),
        "expires_at": None,
        "filename": record.name,
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
