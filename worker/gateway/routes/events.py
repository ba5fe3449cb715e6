"""`/v1/events`: the event log, and the same as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api_models.happenings import Happening
from api_models.jobs import EventPage
from api_models.problems import Fault
from worker.gateway import answers, views
from worker.gateway.answers import Reader, gateway_of, problems
from worker.gateway.metrics import note_wait
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import EventEntry

router = APIRouter(prefix="/v1/events", tags=["events"])

MAX_PER_PAGE: Final = 1_000
LARGEST_ID: Final = 2**63 - 1
QUIET_SECONDS: Final = 5.0
"""A comment is sent after this time, because proxies close idle connections, and the key is checked again."""
RETRY_MS: Final = 2_000
_STREAM: Final = {"text/event-stream": {"schema": {"type": "string"}}}

Types = Annotated[list[Happening], Query(alias="type", max_length=len(Happening))]


@router.get("", response_model=EventPage, responses=problems())
def list_events(
    request: Request,
    caller: Reader,
    types: Types = [],  # noqa: B006 - never modified
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = 100,
) -> Response:
    """List events, the oldest first. Continue after the last id to miss none.

    The log holds finished jobs and batches that were submitted over HTTP, and all that finished while you had a webhook
    endpoint.
    """
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = tenant_pages.events(
            connection, caller.tenant, after=after, most=limit, types=[str(one) for one in types]
        )
    content = {
        "events": [views.event(entry, gateway.base) for entry in found],
        "next_after": found[-1].id if found else after,
    }
    return answers.json(content)


@router.get(
    "/stream",
    response_class=Response,
    responses={
        200: {"content": _STREAM, "description": "Events as they occur, until the client disconnects."},
        **problems(),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "Continue after this event; without it, start with new events.",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            }
        ]
    },
)
async def stream_events(
    request: Request,
    caller: Reader,
    types: Types = [],  # noqa: B006 - never modified
) -> Response:
    """Stream events as server-sent events (`EventSource`)."""
    gateway = gateway_of(request)
    given = request.headers.get("last-event-id")
    if given is not None and not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise invalid([Fault(field="Last-Event-ID", message="must be the id of an event")])
    names = [str(one) for one in types]
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    # Read before responding: events after the response begins are not missed.
    after = await gateway.watch.newest() if given is None else int(given)
    note_wait(request.scope)
    return StreamingResponse(_stream(gateway, caller, names, after), headers=headers, media_type="text/event-stream")


async def _stream(gateway: Gateway, caller: Caller, types: Sequence[str], after: int) -> AsyncIterator[bytes]:
    render = partial(_format, base=gateway.base)
    # With the id, a client that loses the connection before its first event resumes where it began.
    yield f"retry: {RETRY_MS}\nid: {after}\n\n".encode()
    async for found in gateway.watch.follow(caller.tenant, types, after, quiet_seconds=QUIET_SECONDS):
        if not await _is_current(gateway, caller):
            return
        yield b"".join(gateway.watch.rendered(entry, render) for entry in found) if found else b": quiet\n\n"


async def _is_current(gateway: Gateway, caller: Caller) -> bool:
    try:
        await gateway.keyring.refuse_outdated(caller)
    except ProblemError:
        return False
    return True


def _format(entry: EventEntry, base: str) -> bytes:
    data = json.dumps(views.event(entry, base), ensure_ascii=False)
    return f"id: {entry.id}\nevent: {entry.type}\ndata: {data}\n\n".encode()
