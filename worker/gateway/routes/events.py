"""`/v1/events`: what happened, as a log to be pulled, and as server-sent events as it happens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api_models.happenings import Happening
from api_models.jobs import EventPage
from api_models.problems import Fault
from worker.gateway import answers, views
from worker.gateway.answers import Reader, gateway_of, problems
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.parts import Gateway
from worker.gateway.problems import invalid
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import EventEntry

router = APIRouter(prefix="/v1/events", tags=["events"])

MAX_PER_PAGE: Final = 1_000
LARGEST_ID: Final = 2**63 - 1
QUIET_SECONDS: Final = 15.0
"""Proxies cut connections on which nothing moves: then a comment is sent."""
RETRY_MS: Final = 2_000
_STREAM: Final = {"text/event-stream": {"schema": {"type": "string"}}}

Types = Annotated[list[Happening], Query(alias="type", max_length=len(Happening))]


@router.get("", response_model=EventPage, responses=problems())
def list_events(
    request: Request,
    caller: Reader,
    types: Types = [],  # noqa: B006 - never changed
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PER_PAGE)] = 100,
) -> Response:
    """The log, the oldest first. Whoever goes on after the last id it saw misses nothing.

    It holds the ends of what came in over HTTP, and of everything that ended while you had an endpoint of webhooks.
    """
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = tenant_pages.events(
            connection, caller.tenant, after=after, most=limit, types=[str(one) for one in types]
        )
    content = {"events": [views.event(entry) for entry in found], "next_after": found[-1].id if found else after}
    return answers.json(content)


@router.get(
    "/stream",
    response_class=Response,
    responses={200: {"content": _STREAM, "description": "Events as they happen, until you leave."}, **problems()},
    openapi_extra={
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "Go on after this event; without it, with what happens from now on.",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            }
        ]
    },
)
async def stream_events(
    request: Request,
    caller: Reader,
    types: Types = [],  # noqa: B006 - never changed
) -> Response:
    """The same as server-sent events (`EventSource`)."""
    gateway = gateway_of(request)
    given = request.headers.get("last-event-id")
    if given is not None and not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise invalid([Fault(field="Last-Event-ID", message="must be the id of an event")])
    wanted = [str(one) for one in types]
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    # Asked before anything is answered: what happens once the client hears from us is not missed.
    after = await gateway.watch.newest() if given is None else int(given)
    return StreamingResponse(_stream(gateway, caller, wanted, after), headers=headers, media_type="text/event-stream")


async def _stream(gateway: Gateway, caller: Caller, types: Sequence[str], after: int) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    async for found in gateway.watch.follow(caller.tenant, types, after, quiet_seconds=QUIET_SECONDS):
        yield b"".join(_told(entry) for entry in found) if found else b": quiet\n\n"


def _told(entry: EventEntry) -> bytes:
    data = json.dumps(views.event(entry), ensure_ascii=False)
    return f"id: {entry.id}\nevent: {entry.type}\ndata: {data}\n\n".encode()
