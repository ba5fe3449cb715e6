"""Batches: progress, cost and what can be done with all their jobs."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from api_models.job_filter import JobFilter
from api_models.status import JobStatus
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import UNCHANGED, Action, Operating, Reader, note
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.store import batches
from worker.store.queries import job_search, tenant_pages
from worker.store.queries import jobs as job_queries
from worker.store.queries.tenant_pages import BatchEntry

router = APIRouter(prefix="/console/batches", include_in_schema=False)

PER_PAGE: Final = 25
SHOWN_FAILURES: Final = 10


@router.get("")
def get_batches(request: Request, visitor: Reader, before: UUID | None = None) -> Response:
    """List batches, the newest first."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = tenant_pages.batches(connection, visitor.tenant, before=before, most=PER_PAGE)
        counted = [(one, job_queries.counts(connection, job_queries.of_batch(one.id))) for one in found]
    more = f"/console/batches?before={found[-1].id}" if len(found) == PER_PAGE else None
    return pages.render(request, "batches.html", visitor, {"batches": counted, "next_address": more})


@router.get("/{batch_id}")
def get_batch(request: Request, batch_id: UUID, visitor: Reader) -> Response:
    """Show one batch."""
    gateway = gateway_of(request)
    batch = _read(gateway, visitor.tenant, batch_id)
    wanted = JobFilter(tenant=visitor.tenant, batch=str(batch_id))
    with gateway.database.read() as connection:
        counts = job_queries.counts(connection, job_queries.of_batch(batch_id))
        newest = job_search.page(connection, job_search.search(connection, wanted), before=None, most=SHOWN_FAILURES)
        failures = job_queries.jobs(
            connection, job_queries.of_batch(batch_id), states=(JobStatus.FAILED,), most=SHOWN_FAILURES
        )
    values = {"batch": batch, "counts": counts, "newest": newest.jobs, "failures": failures}
    return pages.render(request, "batch.html", visitor, values)


@router.post("/{batch_id}/pause")
def pause_batch(request: Request, batch_id: UUID, action: Operating) -> Response:
    """Hold the batch's queued jobs."""
    return _change(request, batch_id, action, paused=True)


@router.post("/{batch_id}/resume")
def resume_batch(request: Request, batch_id: UUID, action: Operating) -> Response:
    """Let the batch's jobs start again."""
    return _change(request, batch_id, action, paused=False)


def _change(request: Request, batch_id: UUID, action: Action, *, paused: bool) -> Response:
    gateway = gateway_of(request)
    _read(gateway, action.visitor.tenant, batch_id)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        changed = (batches.pause if paused else batches.resume)(connection, batch_id, now=now)
    with gateway.database.begin() as connection:  # apart: a pause must be the last statement of its transaction
        name = "pause batch" if paused else "resume batch"
        note(connection, action, name, str(batch_id), "" if changed else UNCHANGED, now=now)
    gateway.on_new_jobs()
    done = ("paused" if paused else "resumed") if changed else "unchanged"
    return pages.see_other(f"/console/batches/{batch_id}?done={done}")


def _read(gateway: Gateway, tenant: str, batch_id: UUID) -> BatchEntry:
    with gateway.database.read() as connection:
        entry = tenant_pages.batch(connection, tenant, batch_id)
    if entry is None:
        raise not_found("batch")
    return entry
