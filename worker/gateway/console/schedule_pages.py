"""Schedules: when they are due next, how their runs ended, pausing and resuming."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import UNCHANGED, Action, Operating, Reader, note
from worker.gateway.problems import not_found
from worker.schedules import cron
from worker.store import schedules

router = APIRouter(prefix="/console/schedules", include_in_schema=False)

SHOWN_RUNS: Final = 5


@router.get("")
def get_schedules(request: Request, visitor: Reader) -> Response:
    """List schedules with their latest runs."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = schedules.every(connection, visitor.tenant)
        runs = {one.name: schedules.runs(connection, visitor.tenant, one.name, most=SHOWN_RUNS) for one in found}
    return pages.render(request, "schedules.html", visitor, {"schedules": found, "runs": runs})


@router.post("/pause")
def pause_schedule(request: Request, action: Operating) -> Response:
    """Start no more runs. Submitted jobs continue."""
    return _change(request, action, paused=True)


@router.post("/resume")
def resume_schedule(request: Request, action: Operating) -> Response:
    """Start runs again at the next time. Missed times are skipped."""
    return _change(request, action, paused=False)


def _change(request: Request, action: Action, *, paused: bool) -> Response:
    gateway = gateway_of(request)
    tenant, name = action.visitor.tenant, action.field("name")
    with gateway.database.begin() as connection:
        record = schedules.by_name(connection, tenant, name)
        if record is None:
            raise not_found("schedule")
        now = gateway.database.now(connection)
        if paused:
            changed = schedules.pause(connection, tenant, name, now=now)
        else:
            due = cron.next_after(record.cron, record.timezone, now)
            changed = schedules.resume(connection, tenant, name, next_due_at=due)
        verb = "pause schedule" if paused else "resume schedule"
        note(connection, action, verb, name, "" if changed else UNCHANGED, now=now)
    done = ("paused" if paused else "resumed") if changed else UNCHANGED
    return pages.see_other(f"/console/schedules?done={done}")
