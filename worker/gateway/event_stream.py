"""Waits for finished jobs and for events: one shared poll of the database for all clients, many times a second.

It polls only while clients wait. A poll costs a statement or two, however many there are.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from worker.store.database import Database
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import EventEntry, OwnedEvent

POLL_SECONDS: Final = 0.02
"""A finished job is seen within this time plus that of one poll."""
RETRY_SECONDS: Final = 1.0
EVENTS_PER_POLL: Final = 500
MAX_RENDERED: Final = 1_000
"""Latest events kept as they are sent: hundreds of streams of one tenant send the same bytes."""
MAX_BUFFERED: Final = 2_000
"""Events buffered for a slow reader; beyond that it reads from the database at its own speed."""

log = structlog.get_logger("ttsq.gateway")


@dataclass(slots=True, eq=False)
class _Stream:
    tenant: str
    types: frozenset[str]
    buffer: list[EventEntry] = field(default_factory=list)
    overflowed: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def deliver(self, found: Sequence[OwnedEvent]) -> None:
        for tenant, event in found:
            if tenant not in {None, self.tenant} or (self.types and event.type not in self.types):
                continue
            if len(self.buffer) >= MAX_BUFFERED:
                self.buffer.clear()
                self.overflowed = True
            if not self.overflowed:
                self.buffer.append(event)
            self.ready.set()

    def take(self) -> tuple[list[EventEntry], bool]:
        found, missed = self.buffer, self.overflowed
        self.buffer, self.overflowed = [], False
        self.ready.clear()
        return found, missed


@dataclass(slots=True)
class Watch:
    """One per process; runs on its event loop."""

    database: Database
    _rendered: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    _jobs: dict[UUID, list[asyncio.Event]] = field(default_factory=dict)
    _streams: set[_Stream] = field(default_factory=set)
    _position: int | None = None
    """The last event delivered to the streams; None without streams."""
    _poller: asyncio.Task[None] | None = None
    _closed: bool = False

    def close(self) -> None:
        """End all streams and waits, and let new ones end at once: the server shuts down."""
        self._closed = True
        for stream in self._streams:
            stream.ready.set()
        for waiting in self._jobs.values():
            for finished in waiting:
                finished.set()

    async def until_finished(self, job_id: UUID, seconds: float) -> bool:
        """Wait up to `seconds`; return whether the job finished. Returns early at a shutdown."""
        if self._closed:
            return False
        finished = asyncio.Event()
        self._jobs.setdefault(job_id, []).append(finished)
        self._ensure_polling()
        try:
            async with asyncio.timeout(seconds):
                await finished.wait()
        except TimeoutError:
            return False
        finally:
            waiting = self._jobs[job_id]
            waiting.remove(finished)
            if not waiting:
                del self._jobs[job_id]
        return not self._closed

    async def follow(
        self, tenant: str, types: Sequence[str], after: int, *, quiet_seconds: float
    ) -> AsyncIterator[list[EventEntry]]:
        """Yield events after `after` as they occur; an empty list after `quiet_seconds` without one."""
        stream = _Stream(tenant, frozenset(types))
        self._streams.add(stream)
        try:
            missed = True  # earlier events are read from the database, while new ones are buffered
            while not self._closed:
                while missed and not self._closed:
                    page = await run_in_threadpool(self._read, tenant, after, types)
                    missed = len(page) == EVENTS_PER_POLL
                    if page:
                        after = page[-1].id
                        yield page
                self._ensure_polling()
                try:
                    async with asyncio.timeout(quiet_seconds):
                        await stream.ready.wait()
                except TimeoutError:
                    yield []
                    continue
                found, missed = stream.take()
                if fresh := [event for event in found if event.id > after]:
                    after = fresh[-1].id
                    yield fresh
        finally:
            self._streams.discard(stream)

    def _read(self, tenant: str, after: int, types: Sequence[str]) -> list[EventEntry]:
        with self.database.read() as connection:
            return tenant_pages.events(connection, tenant, after=after, most=EVENTS_PER_POLL, types=types)

    def rendered(self, event: EventEntry, render: Callable[[EventEntry], bytes]) -> bytes:
        found = self._rendered.get(event.id)
        if found is None:
            found = self._rendered[event.id] = render(event)
            if len(self._rendered) > MAX_RENDERED:
                self._rendered.popitem(last=False)
        return found

    async def newest(self) -> int:
        return await run_in_threadpool(self._newest)

    def _newest(self) -> int:
        with self.database.read() as connection:
            return tenant_pages.last_event(connection)

    def _ensure_polling(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll_loop(), name="ttsq-watch")

    async def _poll_loop(self) -> None:
        while self._jobs or self._streams:
            try:
                await self._poll_once()
            except SQLAlchemyError as error:
                log.warning("database_unavailable", error=str(error).splitlines()[0])
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(POLL_SECONDS)
        self._position = None

    async def _poll_once(self) -> None:
        streams = list(self._streams)
        position = self._position if streams else None
        finished, found, position = await run_in_threadpool(
            self._query, list(self._jobs), position, streaming=bool(streams)
        )
        for job_id in finished:
            for event in self._jobs.get(job_id, ()):
                event.set()
        first, self._position = self._position is None, position
        for stream in streams:
            if first:
                # Events may have occurred between its read and this first poll: read once more.
                stream.overflowed = True
                stream.ready.set()
            stream.deliver(found)

    def _query(
        self, jobs: list[UUID], position: int | None, *, streaming: bool
    ) -> tuple[set[UUID], Sequence[OwnedEvent], int | None]:
        with self.database.read() as connection:
            finished = tenant_pages.over(connection, jobs) if jobs else set()
            if not streaming:
                return finished, (), None
            if position is None:
                return finished, (), tenant_pages.last_event(connection)
            found = tenant_pages.all_events(connection, after=position, most=EVENTS_PER_POLL)
            return finished, found, found[-1][1].id if found else position
