"""Writes jobs that arrive at the same time in one transaction, with a limit on those that wait.

A request is answered only after its row is committed. While one group is written the next one collects.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api_models.http_problems import Trouble
from api_models.problems import Fault
from worker.gateway.problems import ProblemError, invalid
from worker.producer import documents
from worker.producer.documents import DocumentRows
from worker.store.access import idempotency
from worker.store.access.idempotency import IdempotentRequest, Recorded
from worker.store.database import Database
from worker.store.errors import is_unstorable
from worker.store.outbox import endpoints
from worker.store.transitions import actions
from worker.store.writing.groups import carried_out
from worker.webhooks import signatures

MAX_WAITING: Final = 2_000
"""Further jobs are rejected: they would wait longer than a client does."""
MAX_PER_GROUP: Final = 200

log = structlog.get_logger("ttsq.gateway")


NewJob = dict[str, Any] | DocumentRows
"""The row of a job, or those of a document and its parts."""


@dataclass(frozen=True, slots=True)
class Entry:
    row: NewJob
    once: IdempotentRequest | None
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Recorded | None]


@dataclass(slots=True)
class Submissions:
    """One per process: `put` runs on the event loop, and one thread writes."""

    database: Database
    on_new_jobs: Callable[[], None]
    """Called after each group with new jobs."""
    _waiting: list[Entry] = field(default_factory=list)
    _condition: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _stopping: bool = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="ttsq-submissions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    async def put(self, row: NewJob, once: IdempotentRequest | None) -> Recorded | None:
        """Write a job. Returns None, or the earlier result of its Idempotency-Key. Raises ProblemError: too many jobs
        wait, or the database is unavailable. Nothing was written.
        """
        loop = asyncio.get_running_loop()
        entry = Entry(row, once, loop, loop.create_future())
        with self._condition:
            if self._stopping or len(self._waiting) >= MAX_WAITING:
                raise ProblemError(Trouble.OVERLOADED, "Too many jobs are waiting to be written.", retry_after=2)
            self._waiting.append(entry)
            if len(self._waiting) == 1:
                self._condition.notify()
        return await entry.answer

    def _loop(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._stopping:
                    self._condition.wait()
                group, self._waiting = self._waiting[:MAX_PER_GROUP], self._waiting[MAX_PER_GROUP:]
            if not group:
                return
            self._write(group)

    def _write(self, group: Sequence[Entry]) -> None:
        found = [_as_problem(result) for result in carried_out(self._insert, group)]
        if not all(isinstance(answer, Exception) for answer in found):
            self.on_new_jobs()
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Entry, Recorded | Exception | None]]] = {}
        for entry, answer in zip(group, found, strict=True):
            by_loop.setdefault(entry.loop, []).append((entry, answer))
        for loop, answers in by_loop.items():
            loop.call_soon_threadsafe(_resolve, answers)

    def _insert(self, group: Sequence[Entry]) -> list[Recorded | None]:
        with self.database.begin() as connection:
            return submit_in(connection, [entry.row for entry in group], [entry.once for entry in group])


def _as_problem(result: Recorded | BaseException | None) -> Recorded | Exception | None:
    match result:
        case SQLAlchemyError() if not is_unstorable(result):
            log.warning("submission_failed", error=str(result).splitlines()[0])
            return ProblemError(Trouble.OVERLOADED, "The database is unavailable.", retry_after=5)
        case Exception() if is_unstorable(result):
            log.warning("submission_unstorable", error=str(result).splitlines()[0])
            return invalid([Fault(message="has a value that cannot be stored")])
        case Exception():
            log.error("submission_crashed", exc_info=result)
            return result
        case BaseException():
            raise result
        case _:
            return result


def submit_in(
    connection: Connection, new: Sequence[NewJob], once: Sequence[IdempotentRequest | None]
) -> list[Recorded | None]:
    """Write jobs in the caller's transaction, except those whose Idempotency-Key was used before."""
    long_texts = {one.job["id"]: one for one in new if isinstance(one, DocumentRows)}
    rows = [one.job if isinstance(one, DocumentRows) else one for one in new]
    now = rows[0]["created_at"]
    made: dict[UUID, Recorded | None] = {}
    keyed: dict[tuple[str, str], tuple[IdempotentRequest, UUID, None]] = {}
    for row, key in zip(rows, once, strict=True):
        if key is not None:
            # Of two with one key in a group, the second gets the first's result, as if it had come later.
            keyed.setdefault((key.tenant, key.key), (key, row["id"], None))
    for (_, job_id, _), known in zip(
        keyed.values(), idempotency.claim(connection, list(keyed.values()), now=now), strict=True
    ):
        made[job_id] = known
    found: list[Recorded | None] = []
    for row, key in zip(rows, once, strict=True):
        first = keyed[key.tenant, key.key] if key is not None else None
        if first is None or first[1] == row["id"]:
            found.append(made.get(row["id"]))
        else:
            found.append(made[first[1]] or Recorded(first[0], first[1], None))
    fresh = [row for row, known in zip(rows, found, strict=True) if known is None]
    actions.submit(connection, [row for row in fresh if row["id"] not in long_texts])
    documents.submit(connection, [long_texts[row["id"]] for row in fresh if row["id"] in long_texts])
    tenants = {row["tenant"] for row in fresh if row.get("callback_url")}
    for tenant in sorted(tenants):
        endpoints.callbacks(connection, tenant, fresh_secret=signatures.new_secret(), now=now)
    return found


def _resolve(answers: Sequence[tuple[Entry, Recorded | Exception | None]]) -> None:
    for entry, answer in answers:
        if entry.answer.done():  # the client has disconnected
            continue
        if isinstance(answer, Exception):
            entry.answer.set_exception(answer)
        else:
            entry.answer.set_result(answer)
