"""`/v1/documents`: files that become one recording, in a batch of their own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.documents import DocumentIn, DocumentMade, DocumentView
from api_models.jobs import JobIn
from api_models.problems import Fault, faults_of
from api_models.registry import MODELS
from api_models.wording import Wording
from worker.documents.document import Document
from worker.documents.errors import DocumentError
from worker.documents.plan.plan import Plan
from worker.documents.readers.files import read_file
from worker.documents.rewording import reworded
from worker.documents.stored_plan import JoinStyle, Sidecar, StoredPlan
from worker.execution.document_recording import CONTENT_TYPES
from worker.gateway import answers, batched_enqueue, parsing, scripts, strict_json, views
from worker.gateway.answers import Reader, Submitter, gateway_of, problems
from worker.gateway.batched_enqueue import IsGone, Line
from worker.gateway.entries import Origin
from worker.gateway.parts import Gateway
from worker.gateway.problems import invalid, not_found
from worker.gateway.routes.jobs import IDEMPOTENCY_HEADER, check_receiver, idempotency_of
from worker.producer.documents import TWO_SPEAKERS, Source, plan_of
from worker.producer.wording import StoredLexicons
from worker.scripts.plan import price
from worker.store import documents
from worker.store.access.idempotency import IdempotentRequest
from worker.store.outbox import endpoints
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import JobEntry
from worker.text.errors import TextError
from worker.webhooks import signatures

router = APIRouter(prefix="/v1/documents", tags=["documents"])

MAX_BODY_BYTES: Final = 64 * 2**20
"""Of a file in Base64, with its JSON."""
SHOWN_SKIPPED: Final = 100
EXAMPLE: Final = {"name": "ferry.md", "content": "IyBUaGUgRmVycnkKCkl0IHJhaW5lZC4K", "job": {"format": "mp3"}}


@router.post(
    "",
    status_code=202,
    response_model=DocumentMade,
    responses={200: {"model": DocumentMade, "description": "The plan of a dry run."}, **problems(402, 408, 409)},
    openapi_extra=answers.with_body(DocumentIn, EXAMPLE, headers=(IDEMPOTENCY_HEADER,)),
)
async def create_document(request: Request, caller: Submitter) -> Response:
    """Submit a file, or get its plan and price. Returns both; it is durable once this responds with 202."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await request.body()
    wanted = await strict_json.parsed_body(DocumentIn, body)
    once = idempotency_of(request, caller, hashlib.sha256(body).hexdigest())
    if not wanted.dry_run:
        await run_in_threadpool(gateway.keyring.refuse_overspending, caller)
    origin = Origin.of(gateway.settings, caller, request.headers)
    work = partial(_made, gateway, wanted, origin, once)
    made, status = await parsing.run(request, gateway.parsing, work)
    if made["job"] is not None:
        gateway.on_new_jobs()
        gateway.metrics.submitted.labels("document").inc()
    return answers.json(made, status)


def _made(
    gateway: Gateway, wanted: DocumentIn, origin: Origin, once: IdempotentRequest | None, _is_gone: IsGone
) -> tuple[dict[str, Any], int]:
    with _file(wanted) as path:
        plan, job = (_script if scripts.is_script(wanted) else _text)(gateway, origin.tenant, wanted, path)
    if fault := JoinStyle(wanted.preset).format_fault(job.format):
        raise invalid([Fault(field="job.format", message=f"{fault}; use mp3")])
    shown = _plan(plan, job.model)
    if wanted.dry_run:
        return {"job": None, "plan": shown}, 200
    of_script = plan if plan.parts[0].delivery is not None else None
    source = Source(plan.document, _style(wanted, job, plan.document), of_script)
    batch = batched_enqueue.Batch(wanted.name, None, wanted.max_cost)
    also = partial(_announce, gateway, job, origin)
    result = batched_enqueue.write(gateway, [Line(1, job)], batch, origin, once, also=also, source=source)
    with gateway.database.read() as connection:
        (entry,) = tenant_pages.in_order(connection, result.batch_id, after=None, most=1)
    return {"job": views.job(entry, gateway.base), "plan": shown}, 202


def _announce(gateway: Gateway, job: JobIn, origin: Origin, connection: Connection, _batch_id: UUID) -> None:
    if job.receiver is not None:
        endpoints.callbacks(connection, origin.tenant, fresh_secret=signatures.new_secret(), now=gateway.now())


@contextmanager
def _file(wanted: DocumentIn) -> Iterator[Path]:
    try:
        content = base64.b64decode(wanted.content, validate=True)
    except (binascii.Error, ValueError):
        raise invalid([Fault(field="content", message="is not Base64 (RFC 4648)")]) from None
    with TemporaryDirectory(prefix="ttsq-document-") as folder:
        path = Path(folder) / f"document{Path(wanted.name).suffix}"
        path.write_bytes(content)
        yield path


def _text(gateway: Gateway, tenant: str, wanted: DocumentIn, path: Path) -> tuple[Plan, JobIn]:
    """Return the plan of a text with one speaker, and its job. Raises ProblemError."""
    if wanted.stems:
        raise invalid([Fault(field="stems", message="is for scripts; name a cast")])
    try:
        document = read_file(path)
    except DocumentError as error:
        remedy = f"; {error.remedy}" if error.remedy else ""
        raise invalid([Fault(field="content", message=f"{error}{remedy}")]) from None
    document, job = _spoken(gateway, tenant, wanted, document)
    return plan_of(job, gateway.settings.max_text_bytes, Source(document, JoinStyle())), job


def _script(gateway: Gateway, tenant: str, wanted: DocumentIn, path: Path) -> tuple[Plan, JobIn]:
    """Return the plan of a script, and its job. Raises ProblemError."""
    if given := [name for name in ("voice_1", "voice_2") if name in wanted.job]:
        raise invalid([Fault(field=f"job.{name}", message="is for texts without speakers") for name in given])
    made: list[JobIn] = []

    def reworded(document: Document) -> Document:
        changed, job = _spoken(gateway, tenant, wanted, document)
        made.append(job)
        return changed

    return scripts.planned(gateway, tenant, wanted, path, reworded), made[0]


def _spoken(gateway: Gateway, tenant: str, wanted: DocumentIn, document: Document) -> tuple[Document, JobIn]:
    """Return the document as it is spoken, and its job. Raises ProblemError."""
    job = _job(gateway, wanted, document)
    if job.lexicon is None:
        return document, job
    try:
        with gateway.database.read() as connection:
            lexicon = StoredLexicons(connection, tenant)(job.lexicon)
        changed = reworded(document, lexicon)
    except TextError as error:
        raise invalid([Fault(field=f"job.{error.field}", message=error.described())]) from None
    wording = Wording(document.text, lexicon.label).stored() if changed.edits else None
    return changed, job.model_copy(update={"text": changed.text, "lexicon": lexicon.label, "wording": wording})


def _job(gateway: Gateway, wanted: DocumentIn, document: Document) -> JobIn:
    if "text" in wanted.job:
        raise invalid([Fault(field="job.text", message="comes from the file; leave it out")])
    if wanted.job.get("clean"):
        raise invalid([Fault(field="job.clean", message="applies to texts; a file is read as its name says")])
    name = {"custom_id": Path(wanted.name).stem[:100]} if "custom_id" not in wanted.job else {}
    try:
        job = JobIn.model_validate({**wanted.job, **name, "text": document.text}, context=gateway.context)
    except ValidationError as error:
        faults = faults_of(error, known=JobIn.model_fields)
        raise invalid([fault.model_copy(update={"field": f"job.{fault.field}"}) for fault in faults]) from None
    if job.voice_2 is not None:
        raise invalid([Fault(field="job.voice_2", message=TWO_SPEAKERS)])
    check_receiver(gateway, job)
    return job


def _style(wanted: DocumentIn, job: JobIn, document: Document) -> JoinStyle:
    return JoinStyle(
        wanted.preset,
        sidecars=tuple(map(Sidecar, dict.fromkeys([*wanted.captions, *([Sidecar.STEMS] if wanted.stems else [])]))),
        title=job.title or document.title,
        author=job.artist or document.author,
        album=job.album or "",
    )


def _plan(plan: Plan, model: str) -> dict[str, Any]:
    document = plan.document
    return {
        "title": document.title,
        "author": document.author,
        "language": plan.language,
        "characters": len(document.text),
        "parts": len(plan.parts),
        "seconds": round(plan.seconds, 1),
        "cost": views.amount(_price(plan, model)),
        "chapters": _chapters(StoredPlan.of(plan)),
        "speakers": scripts.speakers(plan),
        "skipped": [
            {"what": entry.what, "where": entry.where, "text": entry.text} for entry in document.skipped[:SHOWN_SKIPPED]
        ],
        "warnings": list(document.warnings),
    }


def _price(plan: Plan, model: str) -> Decimal:
    if plan.parts[0].delivery is not None:
        return price(plan.parts)
    return MODELS.price_of(model, len(plan.document.text), len(plan.parts))


def _chapters(plan: StoredPlan) -> list[dict[str, Any]]:
    numbered = enumerate(plan.parts, 1)
    grouped = [list(parts) for _, parts in groupby(numbered, key=lambda found: found[1].chapter)]
    return [
        {
            "title": plan.chapter(parts[0][0]),
            "parts": len(parts),
            "seconds": round(sum(part.seconds for _, part in parts), 1),
        }
        for parts in grouped
    ]


@router.get("/{document_id}", response_model=DocumentView, responses=problems(404))
def get_document(request: Request, document_id: UUID, caller: Reader) -> Response:
    """Return a document and the progress of its parts. Cancel and retry it as a job, pause it as a batch."""
    gateway = gateway_of(request)
    entry, record = _found(gateway, caller.tenant, document_id)
    with gateway.database.read() as connection:
        counts = documents.counts(connection, [document_id])[document_id]
    return answers.json(
        {
            "job": views.job(entry, gateway.base),
            "counts": {str(status): number for status, number in counts.by_status.items()},
            "chapters": _chapters(StoredPlan.decode(record.plan)) if record.plan else [],
            "files": sorted(json.loads(record.sidecars or "{}")),
        }
    )


@router.get(
    "/{document_id}/files/{kind}",
    response_class=Response,
    responses={200: {"description": "The file beside the recording."}, **problems(404)},
)
def get_document_file(request: Request, document_id: UUID, kind: Sidecar, caller: Reader) -> Response:
    """Return captions, chapters or the transcript of a finished document."""
    gateway = gateway_of(request)
    entry, record = _found(gateway, caller.tenant, document_id)
    uri = json.loads(record.sidecars or "{}").get(kind)
    place = gateway.destinations.containing(uri, tenant=entry.tenant, batch_id=entry.batch_id) if uri else None
    blocks = None if place is None else place.store.read(place.key)
    if blocks is None:
        raise not_found("file")
    return Response(b"".join(blocks), media_type=CONTENT_TYPES[kind])


def _found(gateway: Gateway, tenant: str, job_id: UUID) -> tuple[JobEntry, documents.DocumentRecord]:
    with gateway.database.read() as connection:
        entry, record = tenant_pages.job(connection, tenant, job_id), documents.by_id(connection, job_id)
    if entry is None or record is None:
        raise not_found("document")
    return entry, record
