"""Documents: their chapters and parts, the text beside its audio, and what is still missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api_models.status import TERMINAL, JobStatus
from worker.documents.stored_plan import StoredPlan
from worker.gateway.answers import gateway_of
from worker.gateway.console import job_page, pages
from worker.gateway.console.access import Reader
from worker.gateway.problems import not_found
from worker.store import documents
from worker.store.documents import DocumentRecord
from worker.store.queries import document_pages
from worker.store.queries.tenant_pages import JobEntry

router = APIRouter(prefix="/console/documents", include_in_schema=False)

PER_PAGE: Final = 25
PARTS_PER_PAGE: Final = 40
MAX_PART: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter, or what precedes the first one."""

    title: str
    first: int
    """Number of its first part."""
    parts: int
    seconds: float
    """Estimated."""

    def holds(self, part: int) -> bool:
        return self.first <= part < self.first + self.parts


@router.get("")
def get_documents(request: Request, visitor: Reader, before: UUID | None = None) -> Response:
    """List documents, the newest first."""
    with gateway_of(request).database.read() as connection:
        found = document_pages.documents(connection, visitor.tenant, before=before, most=PER_PAGE)
        counts = documents.counts(connection, [one.id for one in found]) if found else {}
    more = f"/console/documents?before={found[-1].id}" if len(found) == PER_PAGE else None
    values = {"documents": [(one, counts[one.id]) for one in found], "next_address": more}
    return pages.render(request, "documents.html", visitor, values)


@router.get("/{document_id}")
def get_document(
    request: Request,
    document_id: UUID,
    visitor: Reader,
    first: Annotated[int, Query(alias="from", ge=1, le=MAX_PART)] = 1,
) -> Response:
    """Show one document, and its parts from a number on."""
    gateway = gateway_of(request)
    job = job_page.read(gateway, visitor.tenant, document_id)
    with gateway.database.read() as connection:
        record = documents.by_id(connection, document_id)
        if record is None:
            raise not_found("document")
        counts = documents.counts(connection, [document_id])[document_id]
        shown = document_pages.parts(connection, document_id, first=first, most=PARTS_PER_PAGE)
    following = first + PARTS_PER_PAGE
    values = {
        "job": job,
        "counts": counts,
        "parts": shown,
        "first": first,
        "next_address": f"?from={following}" if following <= (job.parts or 0) else None,
        "sentences": job_page.sentences(gateway, job),
        **_planned(record, job),
        **_actions(job),
    }
    return pages.render(request, "document.html", visitor, values)


def _planned(record: DocumentRecord, job: JobEntry) -> dict[str, Any]:
    """Return title and chapters. After the text was removed there are none."""
    plan = StoredPlan.decode(record.plan) if record.plan else None
    title = plan.title if plan is not None else ""
    return {"title": title or job.custom_id or "Document", "chapters": _sections(plan) if plan is not None else []}


def _sections(plan: StoredPlan) -> list[Section]:
    found: list[Section] = []
    before: int | None = None
    for number, part in enumerate(plan.parts, 1):
        if part.chapter != before:
            found.append(Section(plan.chapter(number), number, 0, 0.0))
        last = found[-1]
        found[-1] = Section(last.title, last.first, last.parts + 1, last.seconds + part.seconds)
        before = part.chapter
    return found


def _actions(job: JobEntry) -> dict[str, bool]:
    return {
        "has_audio": job.status == JobStatus.SUCCEEDED and job.purged_at is None,
        "is_finished": job.status in TERMINAL,
        "can_retry": job.status in TERMINAL - {JobStatus.SUCCEEDED} and job.purged_at is None,
    }
