"""What people name at a terminal, found: batches by id, its beginning or name; jobs by id or its beginning; filters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, select

from api_models.hints import did_you_mean
from api_models.status import TERMINAL, JobStatus
from worker.cli.errors import AmbiguousError, UnknownBatchError, UnknownJobError
from worker.cli.wording import short
from worker.store import batches, views
from worker.store.batches import BatchRecord
from worker.store.tables import Job
from worker.store.views import JobRecord

SEARCHED_BATCHES: Final = 10_000
"""The newest ones, in which a name or the beginning of an id is looked up; a whole id finds any."""
SHOWN_MATCHES: Final = 5


def batch(connection: Connection, wanted: str) -> BatchRecord:
    """The batch that is meant: by its id, by the beginning of one, or the newest of that name, with its ending or not.

    Raises:
        UnknownBatchError, AmbiguousError
    """
    if (batch_id := _uuid(wanted)) and (found := batches.by_id(connection, batch_id)):
        return found
    known = batches.latest(connection, most=SEARCHED_BATCHES)
    digits = wanted.replace("-", "").lower()
    matches = [record for record in known if digits and record.id.hex.startswith(digits)]
    if len(matches) == 1:
        return matches[0]
    named = next((record for record in known if wanted in {record.name, Path(record.name).stem}), None)
    if named is not None:
        return named
    if matches:
        raise AmbiguousError("batch", wanted, [short(record.id) for record in matches[:SHOWN_MATCHES]])
    raise UnknownBatchError(wanted, did_you_mean(wanted, {record.name for record in known}))


def job(connection: Connection, wanted: str) -> JobRecord:
    """The job whose id begins like this.

    Raises:
        UnknownJobError, AmbiguousError
    """
    found = views.by_id_prefix(connection, wanted, most=SHOWN_MATCHES)
    if not found:
        raise UnknownJobError(wanted)
    if len(found) > 1:
        raise AmbiguousError("job", wanted, [str(record.id) for record in found])
    return found[0]


def selection(
    *,
    batch_id: UUID | None = None,
    states: Sequence[JobStatus] = (),
    code: str | None = None,
    job_ids: Sequence[UUID] = (),
) -> ColumnElement[bool]:
    """The jobs that fit everything that was given; all jobs where nothing was."""
    terms = [views.everything() if batch_id is None else views.of_batch(batch_id)]
    if states:
        terms.append(Job.status.in_([str(state) for state in states]))
    if code is not None:
        terms.append(Job.code == code)
    if job_ids:
        terms.append(Job.id.in_(job_ids))
    return and_(*terms)


def of_model(which: ColumnElement[bool], model: str) -> ColumnElement[bool]:
    """The jobs of a selection that one model speaks."""
    return and_(which, Job.model == model)


def unfinished(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """The jobs of a selection that aren't over."""
    return and_(which, Job.status.not_in([str(state) for state in TERMINAL]))


def finished_since(which: ColumnElement[bool], moment: datetime) -> ColumnElement[bool]:
    """The jobs of a selection that ended at this time or later."""
    return and_(which, Job.finished_at >= moment)


def span(connection: Connection, which: ColumnElement[bool]) -> tuple[datetime | None, datetime | None]:
    """When the first of the jobs was handed in, and when the last so far ended."""
    row = connection.execute(select(func.min(Job.created_at), func.max(Job.finished_at)).where(which)).one()
    return row[0], row[1]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
