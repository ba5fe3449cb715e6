"""Waiting for the end of jobs, and for events: one look at the database for all who wait, many times a second.

Nobody looks while nobody waits. A look costs a statement or two, however many wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from worker.store.database import Database
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import EventEntry, OwnedEvent

POLL_SECONDS: Final = 0.05
"""Between two looks: an end is seen within this time and the look's own."""
TROUBLE_SECONDS: Final = 1.0
EVENTS_PER_POLL: Final = 500
MAX_BEHIND: Final = 2_000
"""Events that a slow reader may leave lying here; it then reads them from the database, at its own pace."""

log = structlog.get_logger("ttsq.gateway")


@dataclass(slots=True, eq=False)
class _Stream:
    """One client that follows events."""

    tenant: str
    types: frozenset[str]
    behind: list[EventEntry] = field(default_factory=list)
    lost_some: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, found: Sequence[OwnedEvent]) -> None:
        for tenant, event in found:
            if tenant not in {None, self.tenant} or (self.types and event.type not in self.types):
                continue
            if len(self.behind) >= MAX_BEHIND:
                self.behind.clear()
                self.lost_some = True
            if not self.lost_some:
                self.behind.append(event)
            self.news.set()

    def take(self) -> tuple[list[EventEntry], bool]:
        found, lost = self.behind, self.lost_some
        self.behind, self.lost_some = [], False
        self.news.clear()
        return found, lost


@dataclass(slots=True)
class Watch:
    """One a process; everything here runs on its event loop."""

    database: Database
    _jobs: dict[UUID, list[asyncio.Event]] = field(default_factory=dict)
    _streams: set[_Stream] = field(default_factory=set)
    _position: int | None = None
    """The last event that the streams were told of; None while there are none."""
    _looking: asyncio.Task[None] | None = None

    async def until_over(self, job_id: UUID, seconds: float) -> bool:
        """Whether the job ended within this time."""
        over = asyncio.Event()
        self._jobs.setdefault(job_id, []).append(over)
        self._look()
        try:
            async with asyncio.timeout(seconds):
                await over.wait()
        except TimeoutError:
            return False
        finally:
            waiting = self._jobs[job_id]
            waiting.remove(over)
            if not waiting:
                del self._jobs[job_id]
        return True

    async def follow(
        self, tenant: str, types: Sequence[str], after: int, *, quiet_seconds: float
    ) -> AsyncIterator[list[EventEntry]]:
        """Every event after that one, as they come; an empty list when nothing came for so long."""
        stream = _Stream(tenant, frozenset(types))
        self._streams.add(stream)
        try:
            lost = True  # what came before is read from the database; what comes from now on is kept meanwhile
            while True:
                while lost:
                    page = await run_in_threadpool(self._read, tenant, after, types)
                    lost = len(page) == EVENTS_PER_POLL
                    if page:
                        after = page[-1].id
                        yield page
                self._look()
                try:
                    async with asyncio.timeout(quiet_seconds):
                        await stream.news.wait()
                except TimeoutError:
                    yield []
                    continue
                found, lost = stream.take()
                if fresh := [event for event in found if event.id > after]:
                    after = fresh[-1].id
                    yield fresh
        finally:
            self._streams.discard(stream)

    def _read(self, tenant: str, after: int, types: Sequence[str]) -> list[EventEntry]:
        with self.database.read() as connection:
            return tenant_pages.events(connection, tenant, after=after, most=EVENTS_PER_POLL, types=types)

    async def newest(self) -> int:
        """The id of the last event so far."""
        return await run_in_threadpool(self._newest)

    def _newest(self) -> int:
        with self.database.read() as connection:
            return tenant_pages.last_event(connection)

    def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._keep_looking(), name="ttsq-watch")

    async def _keep_looking(self) -> None:
        while self._jobs or self._streams:
            try:
                await self._look_once()
            except SQLAlchemyError as error:
                log.warning("database_trouble", error=str(error).splitlines()[0])
                await asyncio.sleep(TROUBLE_SECONDS)
            await asyncio.sleep(POLL_SECONDS)
        self._position = None

    async def _look_once(self) -> None:
        streams = list(self._streams)
        position = self._position if streams else None
        over, found, position = await run_in_threadpool(
            self._asked, list(self._jobs), position, streaming=bool(streams)
        )
        for job_id in over:
            for event in self._jobs.get(job_id, ()):
                event.set()
        first, self._position = self._position is None, position
        for stream in streams:
            if first:
                # Between its reading and this first look something may have come: it reads once more.
                stream.lost_some = True
                stream.news.set()
            stream.tell(found)

    def _asked(
        self, jobs: list[UUID], position: int | None, *, streaming: bool
    ) -> tuple[set[UUID], Sequence[OwnedEvent], int | None]:
        with self.database.read() as connection:
            over = tenant_pages.over(connection, jobs) if jobs else set()
            if not streaming:
                return over, (), None
            if position is None:
                return over, (), tenant_pages.last_event(connection)
            found = tenant_pages.all_events(connection, after=position, most=EVENTS_PER_POLL)
            return over, found, found[-1][1].id if found else position
