"""One stream of events a page: a signal that something has changed, after which the page fetches itself anew.

Events of the log are signalled as they occur, and resume after `Last-Event-ID`. Jobs of the command line leave no
event, so the figures are compared every few seconds, once for all consoles of a tenant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from worker.gateway.answers import gateway_of
from worker.gateway.console import now
from worker.gateway.console.access import Reader, Visitor
from worker.gateway.console.environment import HEADERS
from worker.gateway.metrics import note_wait
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store.access import console_sessions

router = APIRouter(prefix="/console", include_in_schema=False)

QUIET_SECONDS: Final = 2.0
"""Between two comparisons of the figures."""
RETRY_MS: Final = 3_000
LARGEST_ID: Final = 2**63 - 1


@router.get("/stream")
async def get_stream(
    request: Request, visitor: Reader, last: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None
) -> Response:
    """Signal changes as server-sent events, until the page is hidden or the session ends."""
    gateway = gateway_of(request)
    given = request.headers.get("last-event-id", "")
    after = int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else last
    after = await gateway.watch.newest() if after is None else after
    cache = now.cache_of(request)
    # Read before responding: the page fetches itself once the response begins, so that no change lies between.
    seen = await run_in_threadpool(_version, gateway, visitor, cache)
    content = _stream(gateway, visitor, cache, after, seen)
    note_wait(request.scope)
    return StreamingResponse(content, headers=HEADERS | {"x-accel-buffering": "no"}, media_type="text/event-stream")


async def _stream(
    gateway: Gateway, visitor: Visitor, cache: now.FigureCache, after: int, seen: int | None
) -> AsyncIterator[bytes]:
    try:
        gateway.keyring.begin(visitor.caller, held=True)  # it counts as a request in progress
    except ProblemError:
        return  # the browser tries again, and the page polls meanwhile
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        async for found in gateway.watch.follow(visitor.tenant, (), after, quiet_seconds=QUIET_SECONDS):
            version = await run_in_threadpool(_version, gateway, visitor, cache)
            if version is None:
                yield b"event: ended\ndata: \n\n"
                return
            if found:
                yield f"id: {found[-1].id}\nevent: changed\ndata: \n\n".encode()
            elif version != seen:
                yield b"event: changed\ndata: \n\n"
            else:
                yield b": quiet\n\n"
            seen = version
    finally:
        gateway.keyring.end(visitor.caller, held=True)


def _version(gateway: Gateway, visitor: Visitor, cache: now.FigureCache) -> int | None:
    """A number that changes with the figures; None once the session has ended."""
    with gateway.database.read() as connection:
        if not console_sessions.is_current(connection, visitor.session, now=gateway.database.now(connection)):
            return None
    figures = cache.of(gateway, visitor.tenant)
    newest = [(job.id, job.status) for job in figures.newest]
    batches = [(one.batch.id, one.finished) for one in figures.batches]
    names = [hold.name for hold in figures.holds]
    return hash((tuple(sorted(figures.counts.items())), tuple(newest), tuple(batches), tuple(names), figures.slots))
