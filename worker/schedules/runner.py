"""Executes one run of a schedule: reads the source, and submits the batch in the transaction that finishes the run.

One transaction finishes a run and holds its batch, whatever is killed, and however many workers execute it. Weakness:
if the source changes between two workers, the faster one's version is submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api_models.problems import Fault
from api_models.speech import JobRequest
from worker.intake.header import WholeFault
from worker.intake.reader import read
from worker.intake.validation import Row
from worker.producer import enqueue_rows
from worker.schedules import source
from worker.schedules.options import Options
from worker.schedules.source import SourceError, Variable
from worker.store import schedules
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunRecord, RunState, ScheduleRecord
from worker.text.errors import TextError

LAPSE_SECONDS: Final = 30.0
"""A worker that has had a run for this long counts as dead; doubled with every attempt."""
AGAIN_SECONDS: Final = 15.0
"""Before the second attempt at a source that cannot be reached; doubled with every further one."""
CLOSE_SECONDS: Final = 5.0
"""How long shutdown waits for the current run. An interrupted run leaves only its claim."""
MAX_ATTEMPTS: Final = 6
SHOWN_FAULTS: Final = 5

log = structlog.get_logger("ttsq.schedules")

Last = Callable[[Connection, datetime], UUID | None]
"""Runs in the transaction that finishes a run. Returns the submitted batch, if any."""


def no_work(_connection: Connection, _now: datetime) -> None:
    pass


def lapse(attempt: int) -> timedelta:
    return timedelta(seconds=LAPSE_SECONDS * 2 ** (attempt - 1))


class _ChangedError(Exception):
    """The source has errors that it did not have when it was checked."""


class _FinishedError(Exception):
    """Another worker has finished the run: roll back."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads a run's lines: once to check them, once to submit them."""

    lines: Path
    options: Options
    due_at: datetime
    max_text_bytes: int | None

    def judge(self) -> tuple[list[Fault], int, int]:
        """Return the first faults, and how many faults and valid rows there are; no rows if none may be used."""
        faults: list[Fault] = []
        total = rows = 0
        whole = False
        for item in self._read():
            if isinstance(item, Fault):
                total += 1
                whole = whole or item.line is None or isinstance(item, WholeFault)
                faults += [item] if total <= SHOWN_FAULTS else []
            else:
                rows += 1
        return faults, total, 0 if whole else rows

    def rows(self) -> Iterator[tuple[JobRequest, str | None]]:
        """Raises _ChangedError for a fault, unless faulty rows are skipped."""
        for item in self._read():
            if isinstance(item, Row):
                yield item.request, item.extra
            elif not self.options.skip_invalid:
                raise _ChangedError(str(item))

    def _read(self) -> Iterator[Row | Fault]:
        return read(
            self.lines,
            defaults=self.options.defaults_at(self.due_at),
            max_text_bytes=self.max_text_bytes,
            options=self.options.sheet,
            long_texts=True,
        )


@dataclass(frozen=True, slots=True)
class ScheduleRunner:
    database: Database
    origin: str
    """The API's URL, as for every producer."""
    max_text_bytes: int | None
    variable: Variable

    def run_message(self, key: RunKey) -> None:
        """Like `run`, but log errors: the run's row is sent again."""
        try:
            self.run(key)
        except SQLAlchemyError as error:
            log.warning("schedule_run_error", schedule=key.schedule, tenant=key.tenant, error=describe(error))
        except OSError as error:
            log.warning("schedule_run_error", schedule=key.schedule, tenant=key.tenant, error=str(error))

    def run(self, key: RunKey) -> RunState | None:
        """Execute a run. Returns None if another worker has it, or it has finished.

        Raises:
            SQLAlchemyError: the queue's database failed. The run is retried.
            OSError: the local disk failed. The run is retried.
        """
        with self.database.begin() as connection:
            now = self.database.now(connection)
            run = schedules.claim(connection, key, lapses_at=lambda number: now + lapse(number))
            schedule = schedules.by_name(connection, key.tenant, key.schedule)
        if run is None:
            return None
        if schedule is None:
            return self._fail(run, "the schedule was removed")
        if run.attempts > MAX_ATTEMPTS:
            return self._fail(run, run.message or f"{MAX_ATTEMPTS} workers claimed it and did not finish")
        options = Options.read(schedule.options)
        with TemporaryDirectory(prefix="ttsq-schedule-") as folder:
            try:
                lines = source.fetch(schedule.source, options, Path(folder), self.variable)
            except SourceError as error:
                return self._put_off(run, error)
            if lines is None:
                return self._conclude(run, RunState.DONE, "the query returned no rows; nothing was submitted")
            return self._judge(run, schedule, _Reading(lines, options, run.due_at, self.max_text_bytes))

    def _judge(self, run: RunRecord, schedule: ScheduleRecord, reading: _Reading) -> RunState | None:
        faults, total, rows = reading.judge()
        if faults and not (rows and reading.options.skip_invalid):
            return self._fail(run, _describe(faults, total))
        skipped = f"skipped {_describe(faults, total)}" if faults else None
        return self._submit(run, schedule, reading, skipped)

    def _submit(
        self, run: RunRecord, schedule: ScheduleRecord, reading: _Reading, message: str | None = None
    ) -> RunState | None:
        options = reading.options

        def submit(connection: Connection, _now: datetime) -> UUID:
            return enqueue_rows(
                connection,
                reading.rows(),
                name=f"{schedule.name} {run.due_at:%Y-%m-%d %H:%M}",
                tenant=run.tenant,
                origin=self.origin,
                max_cost=options.budget,
                key_template=options.key_template,
                use_cache=options.use_cache,
            )

        try:
            return self._conclude(run, RunState.DONE, message, last=submit)
        except _ChangedError as changed:
            return self._fail(run, f"the source changed while it was read: {changed}")
        except TextError as error:
            return self._fail(run, error.described())

    def _put_off(self, run: RunRecord, error: SourceError) -> RunState | None:
        if not error.passing or run.attempts >= MAX_ATTEMPTS:
            return self._fail(run, str(error))
        wait = timedelta(seconds=AGAIN_SECONDS * 2 ** (run.attempts - 1))
        with self.database.begin() as connection:
            until = self.database.now(connection) + wait
            schedules.put_off(connection, run, until=until, message=str(error))
        log.warning("schedule_put_off", schedule=run.schedule, tenant=run.tenant, until=until, error=str(error))
        return RunState.DUE

    def _fail(self, run: RunRecord, message: str) -> RunState | None:
        def record_failure(connection: Connection, now: datetime) -> None:
            data = {"due_at": run.due_at.isoformat(), "message": message}
            events.record(connection, events.SCHEDULE_FAILED, run.schedule, data, tenant=run.tenant, now=now)

        return self._conclude(run, RunState.FAILED, message, last=record_failure)

    def _conclude(
        self, run: RunRecord, state: RunState, message: str | None = None, *, last: Last = no_work
    ) -> RunState | None:
        """Finish the run and call `last` in the same transaction. Returns None if it had finished before."""
        try:
            with self.database.begin() as connection:
                now = self.database.now(connection)
                batch_id = last(connection, now)
                if not schedules.conclude(connection, run.key, state, batch_id=batch_id, message=message, now=now):
                    raise _FinishedError
        except _FinishedError:
            return None
        log.info("schedule_run", schedule=run.schedule, tenant=run.tenant, due_at=run.due_at, state=str(state))
        return state


def _describe(faults: list[Fault], total: int) -> str:
    shown = "; ".join(map(str, faults))
    return f"{shown}; and {total - len(faults):,} more errors" if total > len(faults) else shown
