"""Waiting for jobs and batches to be over, by looking at their rows. Writes nothing.

Its weakness: it asks again and again, with pauses that grow from a twentieth of a second to two. Whoever has thousands
of single jobs to wait for hands them in as a batch and watches that, or has a webhook tell of each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from api_models.status import TERMINAL
from worker import settings
from worker.producer.errors import NoSuchJobError, NotFinishedError
from worker.store import batches
from worker.store.database import Database
from worker.store.queries import filters, jobs
from worker.store.queries.jobs import Counts, JobRecord

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0
GROWTH: Final = 1.5
TIMEOUT_SECONDS: Final = 3_600.0
"""How long is waited where the caller says nothing."""

Seen = TypeVar("Seen")
Look = Callable[[Connection], Seen]


def wait(job_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: Engine | None = None) -> JobRecord:
    """Wait until a job is over, with or without audio: its `status` says which. Its transaction must be committed.

    Looks through `engine`, or else through a connection of its own to the database of the settings.

    Raises:
        NoSuchJobError: nobody committed a job with this id.
        NotOverError: it wasn't over after `timeout_seconds`.
    """
    patience = _Patience("job", job_id, timeout_seconds)
    with _asking(engine) as ask:
        while (job := ask(partial(_job, job_id=job_id))).status not in TERMINAL:
            time.sleep(patience.pause(job.status))
    return job


async def wait_async(
    job_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: AsyncEngine | None = None
) -> JobRecord:
    """As `wait`, without holding up the event loop."""
    patience = _Patience("job", job_id, timeout_seconds)
    async with _asking_async(engine) as ask:
        while (job := await ask(partial(_job, job_id=job_id))).status not in TERMINAL:
            await asyncio.sleep(patience.pause(job.status))
    return job


def watch(
    batch_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: Engine | None = None
) -> Iterator[Counts]:
    """How a batch stands: now, after each change that is seen, and last when all of its jobs are over.

    Raises:
        NoSuchJobError: nobody committed a batch with this id.
        NotOverError: it wasn't over after `timeout_seconds`.
    """
    patience, before = _Patience("batch", batch_id, timeout_seconds), None
    with _asking(engine) as ask:
        while True:
            counts = ask(partial(_counts, batch_id=batch_id))
            if counts != before:
                yield counts
            if _all_over(counts):
                return
            before = counts
            time.sleep(patience.pause(_in_words(counts)))


async def watch_async(
    batch_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: AsyncEngine | None = None
) -> AsyncIterator[Counts]:
    """As `watch`, without holding up the event loop."""
    patience, before = _Patience("batch", batch_id, timeout_seconds), None
    async with _asking_async(engine) as ask:
        while True:
            counts = await ask(partial(_counts, batch_id=batch_id))
            if counts != before:
                yield counts
            if _all_over(counts):
                return
            before = counts
            await asyncio.sleep(patience.pause(_in_words(counts)))


def longer(pause: float) -> float:
    """The pause after this one, in seconds: whoever has waited for long can wait a little longer."""
    return min(pause * GROWTH, LONGEST_PAUSE_SECONDS)


class _Patience:
    """How long to wait until the next look, and when there is to be none."""

    def __init__(self, what: str, waited_for: UUID, seconds: float) -> None:
        self._what = what
        self._waited_for = waited_for
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._next = FIRST_PAUSE_SECONDS

    def pause(self, state: str) -> float:
        """Seconds. Raises NotOverError where the time is up; `state` is what was seen last."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise NotFinishedError(self._what, self._waited_for, self._seconds, state)
        pause, self._next = self._next, longer(self._next)
        return min(pause, left)


def _job(connection: Connection, *, job_id: UUID) -> JobRecord:
    found = jobs.jobs(connection, filters.selection(job_ids=(job_id,)))
    if not found:
        raise NoSuchJobError("job", job_id)
    return found[0]


def _counts(connection: Connection, *, batch_id: UUID) -> Counts:
    if batches.by_id(connection, batch_id) is None:
        raise NoSuchJobError("batch", batch_id)
    return jobs.counts(connection, jobs.of_batch(batch_id))


def _all_over(counts: Counts) -> bool:
    return counts.of(*TERMINAL) == counts.total


def _in_words(counts: Counts) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in sorted(counts.by_status.items()))


class _Ask(Protocol):
    """Shows a connection to a look, and closes it: each look sees what was committed by then."""

    def __call__(self, look: Look[Seen]) -> Seen: ...


class _AskAsync(Protocol):
    """The same, awaited."""

    def __call__(self, look: Look[Seen]) -> Awaitable[Seen]: ...


@contextmanager
def _asking(engine: Engine | None) -> Iterator[_Ask]:
    if engine is not None:
        yield _Through(engine)
        return
    with closing(Database(settings.current().database_url, connections=1)) as database:
        yield _Through(database.engine)


@asynccontextmanager
async def _asking_async(engine: AsyncEngine | None) -> AsyncIterator[_AskAsync]:
    if engine is not None:
        yield _ThroughAsync(engine)
        return
    with _asking(None) as ask:
        yield _InThread(ask)


@dataclass(frozen=True, slots=True)
class _Through:
    engine: Engine

    def __call__(self, look: Look[Seen]) -> Seen:
        with self.engine.connect() as connection:
            return look(connection)


@dataclass(frozen=True, slots=True)
class _ThroughAsync:
    engine: AsyncEngine

    async def __call__(self, look: Look[Seen]) -> Seen:
        async with self.engine.connect() as connection:
            return await connection.run_sync(look)


@dataclass(frozen=True, slots=True)
class _InThread:
    ask: _Ask

    async def __call__(self, look: Look[Seen]) -> Seen:
        return await asyncio.to_thread(self.ask, look)
