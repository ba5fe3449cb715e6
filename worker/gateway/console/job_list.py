"""The list of jobs: filter, pages, export, and the beginning of operations on all that match."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api_models import job_filter
from api_models.job_filter import MAX_CHARACTERS, NAMES
from api_models.problems import Fault, InvalidInputError
from api_models.registry import MODELS, VOICES
from api_models.status import JobStatus
from worker.gateway.answers import gateway_of
from worker.gateway.console import formats, pages
from worker.gateway.console.access import UNCHANGED, Reader, Saving, Visitor, note
from worker.gateway.console.environment import HEADERS
from worker.gateway.middleware.guard import ClientGoneError
from worker.gateway.parts import Gateway
from worker.gateway.problems import invalid
from worker.gateway.views import amount, stamp, tags
from worker.store.access import console_sessions, console_views
from worker.store.access.console_views import MAX_NAME_CHARACTERS, MAX_VIEWS, ViewRecord
from worker.store.queries import job_search
from worker.store.queries.job_search import Search
from worker.store.queries.tenant_pages import JobEntry

router = APIRouter(prefix="/console", include_in_schema=False)

PER_PAGE: Final = 50
EXPORTED_PER_PAGE: Final = 1_000
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so would be calculated by a spreadsheet program."""
COLUMNS: Final = (
    "id",
    "custom_id",
    "batch_id",
    "status",
    "model",
    "voice_1",
    "voice_2",
    "text",
    "tags",
    "code",
    "message",
    "cost",
    "attempts",
    "seconds",
    "created_at",
    "finished_at",
)
VIEWS: Final = (
    ("All", ""),
    ("Failed", "state:failed,expired"),
    ("In flight", "state:dispatched,running"),
    ("Waiting", "state:queued,scheduled"),
    ("Last hour", "since:1h"),
)
HIDDEN_TEXTS: Final = "The texts of this tenant are hidden here, so they cannot be searched. Filter by other terms."
Filter = Annotated[str, Query(alias="filter", max_length=MAX_CHARACTERS)]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list, as its template shows it."""

    filter: str
    error: str | None
    jobs: list[JobEntry]
    count: job_search.Count | None
    next_address: str | None
    searched_back_to: object


@router.get("/jobs")
def get_jobs(request: Request, visitor: Reader, wanted: Filter = "", before: UUID | None = None) -> Response:
    """List jobs, the newest first."""
    gateway = gateway_of(request)
    listing = _listing(gateway, visitor, wanted.strip(), before)
    with gateway.database.glance() as connection:
        saved = console_views.listed(connection, visitor.tenant)
    values = {
        "listing": listing,
        "first_page": before is None,
        "views": VIEWS,
        "saved": saved,
        "names": NAMES,
        "completions": completions(),
    }
    return pages.render(request, "jobs.html", visitor, values, status=400 if listing.error else 200)


@router.post("/jobs/views")
def save_view(request: Request, action: Saving) -> Response:
    """Save a filter under a name, for all sessions of the tenant."""
    gateway = gateway_of(request)
    name, text = " ".join(action.field("name").split()), action.field("filter").strip()
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise invalid([Fault(field="name", message=f"must have 1 to {MAX_NAME_CHARACTERS} characters")])
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        try:
            job_filter.parse(text, now=now)
        except InvalidInputError as error:
            raise invalid(error.faults) from None
        view = ViewRecord(name, text, action.visitor.name)
        if not console_views.save(connection, action.visitor.tenant, view, now=now):
            raise invalid([Fault(field="name", message=f"at most {MAX_VIEWS} views can be saved; remove one first")])
        note(connection, action, "save view", name, text, now=now)
    return _to_list(text, "saved")


@router.post("/jobs/views/remove")
def remove_view(request: Request, action: Saving) -> Response:
    """Remove a saved view."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        removed = console_views.remove(connection, action.visitor.tenant, action.field("name"))
        detail = "" if removed else UNCHANGED
        note(connection, action, "remove view", action.field("name"), detail, now=gateway.database.now(connection))
    return _to_list("", "removed" if removed else "unchanged")


def _to_list(text: str, done: str) -> Response:
    return pages.see_other("/console/jobs?" + urlencode({"filter": text, "done": done} if text else {"done": done}))


def completions() -> list[str]:
    """What the filter's box suggests."""
    states = [f"state:{state}" for state in JobStatus]
    voices = [f"voice:{voice}" for voice in VOICES]
    models = [f"model:{model}" for model in MODELS]
    return [
        *states,
        "code:",
        "batch:",
        "cost:>0.02",
        'text:""',
        "tag:",
        "since:1h",
        "since:1d",
        "until:1d",
        *models,
        *voices,
    ]


def _listing(gateway: Gateway, visitor: Visitor, text: str, before: UUID | None) -> Listing:
    with gateway.database.read() as connection:
        try:
            wanted = job_filter.parse(text, now=gateway.database.now(connection)).of_tenant(visitor.tenant)
        except InvalidInputError as error:
            return Listing(text, error.faults[0].message, [], None, None, None)
        if wanted.texts and visitor.hides_texts:
            return Listing(text, HIDDEN_TEXTS, [], None, None, None)
        search = job_search.search(connection, wanted)
        page = job_search.page(connection, search, before=before, most=PER_PAGE)
        count = job_search.count(connection, search) if before is None else None
    more = None if page.cursor is None else "/console/jobs?" + urlencode({"filter": text, "before": str(page.cursor)})
    return Listing(text, None, page.jobs, count, more, page.searched_back_to)


@router.get("/jobs.csv")
def export_jobs(request: Request, visitor: Reader, wanted: Filter = "") -> Response:
    """Export all jobs that match as CSV, page by page, so that a long list needs little memory."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        try:
            parsed = job_filter.parse(wanted, now=gateway.database.now(connection)).of_tenant(visitor.tenant)
        except InvalidInputError as error:
            raise invalid(error.faults) from None
        if parsed.texts and visitor.hides_texts:
            raise invalid([Fault(field="filter", message=HIDDEN_TEXTS)])
        search = job_search.search(connection, parsed)
    headers = HEADERS | {"content-disposition": 'attachment; filename="jobs.csv"'}
    return StreamingResponse(_lines(gateway, visitor, search), headers=headers, media_type="text/csv; charset=utf-8")


def _lines(gateway: Gateway, visitor: Visitor, search: Search) -> Iterator[str]:
    yield _line(COLUMNS)
    before: UUID | None = None
    while True:
        with gateway.database.read() as connection:
            if not console_sessions.is_current(connection, visitor.session, now=gateway.database.now(connection)):
                raise ClientGoneError  # cuts the response off: the list is incomplete
            page = job_search.page(connection, search, before=before, most=EXPORTED_PER_PAGE)
        yield "".join(_line(cells(job, hides_text=visitor.hides_texts)) for job in page.jobs)
        if page.cursor is None:
            return
        before = page.cursor


def cells(job: JobEntry, *, hides_text: bool = False) -> list[str]:
    values: dict[str, Any] = {
        "id": job.id,
        "custom_id": job.custom_id,
        "batch_id": job.batch_id,
        "status": job.status,
        "model": job.model,
        "voice_1": job.voice_1,
        "voice_2": job.voice_2,
        "text": formats.hidden(job.text) if hides_text else job.text,
        "tags": " ".join(tags(job.tags)),
        "code": job.code,
        "message": job.message,
        "cost": amount(job.cost),
        "attempts": job.attempt,
        "seconds": None if job.duration_ms is None else job.duration_ms / 1000,
        "created_at": stamp(job.created_at),
        "finished_at": stamp(job.finished_at),
    }
    return [_cell(values[name]) for name in COLUMNS]


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(values: list[str] | tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
