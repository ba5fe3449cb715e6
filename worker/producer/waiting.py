"""Waits for jobs and batches to finish, by polling their rows. Writes nothing.

Weakness: it polls, at intervals that grow from 0.05 to two seconds. For thousands of single jobs, submit a batch and
watch that, or use webhooks.
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
MAX_PAUSE_SECONDS: Final = 2.0
GROWTH: Final = 1.5
TIMEOUT_SECONDS: Final = 3_600.0
"""Default timeout."""

Result = TypeVar("Result")
Query = Callable[[Connection], Result]


def wait(job_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: Engine | None = None) -> JobRecord:
    """Wait until a job has finished, with or without audio: see its `status`. Its transaction must be committed.

    Polls through `engine`, or else through a new connection to the database of the settings. Raises NoSuchJobError: no
    committed job has this id; NotFinishedError: it has not finished after `timeout_seconds`.
    """
    deadline = _Deadline("job", job_id, timeout_seconds)
    with _polling(engine) as poll:
        while (job := poll(partial(_job, job_id=job_id))).status not in TERMINAL:
            time.sleep(deadline.pause(job.status))
    return job


async def wait_async(
    job_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: AsyncEngine | None = None
) -> JobRecord:
    """As `wait`, without blocking the event loop."""
    deadline = _Deadline("job", job_id, timeout_seconds)
    async with _polling_async(engine) as poll:
        while (job := await poll(partial(_job, job_id=job_id))).status not in TERMINAL:
            await asyncio.sleep(deadline.pause(job.status))
    return job


def watch(
    batch_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: Engine | None = None
) -> Iterator[Counts]:
    """Yield the progress of a batch: now, after each change seen, and finally when all its jobs have finished. Raises
    NoSuchJobError: no committed batch has this id; NotFinishedError: it has not finished after `timeout_seconds`.
    """
    deadline, before = _Deadline("batch", batch_id, timeout_seconds), None
    with _polling(engine) as poll:
        while True:
            counts = poll(partial(_counts, batch_id=batch_id))
            if counts != before:
                yield counts
            if _is_finished(counts):
                return
            before = counts
            time.sleep(deadline.pause(_describe(counts)))


async def watch_async(
    batch_id: UUID, *, timeout_seconds: float = TIMEOUT_SECONDS, engine: AsyncEngine | None = None
) -> AsyncIterator[Counts]:
    """As `watch`, without blocking the event loop."""
    deadline, before = _Deadline("batch", batch_id, timeout_seconds), None
    async with _polling_async(engine) as poll:
        while True:
            counts = await poll(partial(_counts, batch_id=batch_id))
            if counts != before:
                yield counts
            if _is_finished(counts):
                return
            before = counts
            await asyncio.sleep(deadline.pause(_describe(counts)))


def longer(pause: float) -> float:
    return min(pause * GROWTH, MAX_PAUSE_SECONDS)


class _Deadline:
    def __init__(self, what: str, waited_for: UUID, seconds: float) -> None:
        self._what = what
        self._waited_for = waited_for
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._next = FIRST_PAUSE_SECONDS

    def pause(self, state: str) -> float:
        """Return the seconds until the next poll. Raises NotFinishedError at the deadline; `state` was seen last."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise NotFinishedError(self._what, self._waited_for, self._seconds, state)
        pause, self._next = self._next, longer(self._next)
        return min(pause, remaining)


def _job(connection: Connection, *, job_id: UUID) -> JobRecord:
    found = jobs.jobs(connection, filters.selection(job_ids=(job_id,)))
    if not found:
        raise NoSuchJobError("job", job_id)
    return found[0]


def _counts(connection: Connection, *, batch_id: UUID) -> Counts:
    if batches.by_id(connection, batch_id) is None:
        raise NoSuchJobError("batch", batch_id)
    return jobs.counts(connection, jobs.of_batch(batch_id))


def _is_finished(counts: Counts) -> bool:
    return counts.of(*TERMINAL) == counts.total


def _describe(counts: Counts) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in sorted(counts.by_status.items()))


class _Poll(Protocol):
    """Opens a connection per poll and closes it, so that each poll sees what was committed by then."""

    def __call__(self, query: Query[Result]) -> Result: ...


class _PollAsync(Protocol):
    def __call__(self, query: Query[Result]) -> Awaitable[Result]: ...


@contextmanager
def _polling(engine: Engine | None) -> Iterator[_Poll]:
    if engine is not None:
        yield _EnginePoll(engine)
        return
    with closing(Database(settings.current().database_url, connections=1)) as database:
        yield _EnginePoll(database.engine)


@asynccontextmanager
async def _polling_async(engine: AsyncEngine | None) -> AsyncIterator[_PollAsync]:
    if engine is not None:
        yield _AsyncEnginePoll(engine)
        return
    with _polling(None) as poll:
        yield _ThreadPoll(poll)


@dataclass(frozen=True, slots=True)
class _EnginePoll:
    engine: Engine

    def __call__(self, query: Query[Result]) -> Result:
        with self.engine.connect() as connection:
            return query(connection)


@dataclass(frozen=True, slots=True)
class _AsyncEnginePoll:
    engine: AsyncEngine

    async def __call__(self, query: Query[Result]) -> Result:
        async with self.engine.connect() as connection:
            return await connection.run_sync(query)


@dataclass(frozen=True, slots=True)
class _ThreadPoll:
    poll: _Poll

    async def __call__(self, query: Query[Result]) -> Result:
        return await asyncio.to_thread(self.poll, query)
