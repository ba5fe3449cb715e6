"""Turns rows of the inbox into jobs, or refuses them with an event and the reason in the row.

Rows are validated outside any transaction, for a limited time; then those that still wait are locked, and their jobs
and their record are written together: a process that dies in between leaves the rows as they were.

A page takes the oldest rows and the newest by turns, so that a flood of rows delays neither those before nor those
after it. Weakness: rows in the midst of a flood wait for one of its ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, zip_longest
from typing import Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api_models.problems import Fault
from worker.producer import arrivals, messages
from worker.producer import inbox as producer_inbox
from worker.producer.arrivals import Refusal, Submission
from worker.settings import Settings
from worker.store import inbox
from worker.store.database import Database
from worker.store.errors import describe, is_unstorable
from worker.store.inbox import Arrival
from worker.store.outbox import events
from worker.webhooks import signatures
from worker.webhooks.addresses import Allowed, checked_url
from worker.webhooks.errors import UnusableUrlError

POLL_SECONDS: Final = 0.1
"""Transactions that commit at the same time as another one, and those behind a pooler, don't notify."""
OLDEST: Final = 300
NEWEST: Final = 100
"""Rows of one page."""
VALIDATION_SECONDS: Final = 0.05
"""Of one page; the rest of it is for the next one."""
HINTED: Final = 20
"""Refusals of a page that suggest names."""
LOCK_TIMEOUT: Final = "250ms"
"""How long a page waits for a producer's transaction with one of its idempotency keys."""
PUT_OFF_SECONDS: Final = 1.0
MAX_PUT_OFF: Final = 1_000
_IN_USE: Final = frozenset({"55P03", "40P01"})
"""SQLSTATEs of a lock that another transaction holds."""

CLEANUP_SECONDS: Final = 600.0
JOBS_KEPT: Final = timedelta(hours=48)
"""How long a row names its job."""
REFUSALS_KEPT: Final = timedelta(days=30)
"""How long refused rows are kept, unless TTSQ_EXPIRES_AFTER is shorter: they hold the text."""

log = structlog.get_logger("ttsq.inbox")


@dataclass(slots=True)
class Inbox:
    database: Database
    settings: Settings
    on_jobs: Callable[[], object] = lambda: None
    """Called after each commit with new jobs."""
    clock: Callable[[], float] = time.monotonic
    _allowed: Allowed = field(init=False)
    _put_off: dict[int, float] = field(default_factory=dict)
    """Rows whose idempotency key another transaction holds, and when to try again."""
    _cleanup_at: float = 0.0

    def __post_init__(self) -> None:
        self._allowed = Allowed.parse(self.settings.webhook_allow.split(","))

    def run_once(self) -> bool:
        """Handle a page of rows; when there are none, delete old ones from time to time. Returns whether there may be
        more. Raises SQLAlchemyError.
        """
        page = self._page()
        if not page:
            self._clean_up()
            return False
        submissions, refusals = self._validated(page)
        self._write_all(submissions, refusals)
        return len(page) >= OLDEST or len(submissions) + len(refusals) < len(page)

    def _page(self) -> list[Arrival]:
        now = self.clock()
        self._put_off = {number: until for number, until in self._put_off.items() if until > now}
        with self.database.read() as connection:
            return inbox.waiting(connection, oldest=OLDEST, newest=NEWEST, but=self._put_off)

    def _validated(self, page: Sequence[Arrival]) -> tuple[list[Submission], list[Refusal]]:
        """Read rows of the page until the time for it is used up; at least one."""
        submissions: list[Submission] = []
        refusals: list[Refusal] = []
        deadline = self.clock() + VALIDATION_SECONDS
        context = {"max_text_bytes": self.settings.max_text_bytes}
        for arrival in _by_turns(page):
            found = arrivals.read(arrival, context, self._url_fault, hints=len(refusals) < HINTED)
            if isinstance(found, Submission):
                submissions.append(found)
            else:
                refusals.append(found)
            if self.clock() > deadline:
                break
        submissions.sort(key=lambda one: one.number)
        return submissions, refusals

    def _url_fault(self, url: str) -> str | None:
        try:
            checked_url(url, self._allowed)
        except UnusableUrlError as error:
            return str(error)
        return None

    def _write_all(self, submissions: Sequence[Submission], refusals: Sequence[Refusal]) -> None:
        """Write the jobs first, so that no job waits for the record of a refusal."""
        if submissions:
            self._write_jobs(submissions)
        if refusals:
            with self.database.begin() as connection:
                self._record(connection, [], refusals)

    def _write_jobs(self, submissions: Sequence[Submission]) -> None:
        """Write them in one transaction; if one of them can't be, in halves, down to the one."""
        try:
            written = self._write(submissions)
        except SQLAlchemyError as error:
            if not (is_unstorable(error) or _is_in_use(error)):
                raise
            if len(submissions) == 1:
                self._give_up(submissions[0], error)
                return
            middle = len(submissions) // 2
            self._write_jobs(submissions[:middle])
            self._write_jobs(submissions[middle:])
        else:
            if written:
                self.on_jobs()

    def _write(self, submissions: Sequence[Submission]) -> int:
        with self.database.begin() as connection:
            if not self.database.is_sqlite:
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            ours = inbox.claim(connection, [one.number for one in submissions])
            result = producer_inbox.write(
                connection,
                [one for one in submissions if one.number in ours],
                self.settings,
                now=self.database.now(connection),
                new_secret=signatures.new_secret,
            )
            self._record(connection, result.jobs, result.refusals)
        return result.written

    def _record(self, connection: Connection, jobs: Sequence[producer_inbox.Job], refusals: Sequence[Refusal]) -> None:
        now = self.database.now(connection)
        inbox.record_jobs(connection, jobs, now=now)
        if refusals:
            ours = inbox.claim(connection, [one.number for one in refusals])
            mine = [one for one in refusals if one.number in ours]
            inbox.record_refusals(connection, [(one.number, one.faults) for one in mine], now=now)
            facts = [(one.subject, one.tenant, {"faults": list(one.faults)}) for one in mine]
            events.record_all(connection, messages.REFUSED, facts, now=now)

    def _give_up(self, submission: Submission, error: SQLAlchemyError) -> None:
        if _is_in_use(error):
            if len(self._put_off) < MAX_PUT_OFF:
                self._put_off[submission.number] = self.clock() + PUT_OFF_SECONDS
            log.info("inbox_row_put_off", row=submission.number, error=describe(error))
            return
        fault = Fault(message=f"a value can't be stored: {describe(error)}")
        with self.database.begin() as connection:
            self._record(connection, [], [Refusal.of(submission, fault)])

    def _clean_up(self) -> None:
        if self.clock() < self._cleanup_at:
            return
        self._cleanup_at = self.clock() + CLEANUP_SECONDS
        kept = min(REFUSALS_KEPT, timedelta(seconds=self.settings.expires_after or REFUSALS_KEPT.total_seconds()))
        with self.database.begin() as connection:
            now = self.database.now(connection)
            if inbox.forget(connection, jobs_before=now - JOBS_KEPT, refusals_before=now - kept):
                self._cleanup_at = 0.0


def _by_turns(page: Sequence[Arrival]) -> Iterator[Arrival]:
    """Alternate the newest and the oldest."""
    middle = len(page) // 2
    pairs: Iterable[tuple[Arrival | None, Arrival | None]] = zip_longest(reversed(page[middle:]), page[:middle])
    return (one for one in chain.from_iterable(pairs) if one is not None)


def _is_in_use(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", None)) in _IN_USE
