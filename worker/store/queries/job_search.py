"""Pages of jobs by a filter, newest first, with a bound on what one page reads, however long the history.

A page looks at `WINDOW` jobs at most. Where a rare match lies deeper, the page says how far it has looked, and its
cursor resumes there. Weakness: texts have no index, so a search of a million texts takes a hundred pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from api_models.job_filter import Comparison, JobFilter
from api_models.status import JobStatus
from worker.store.queries import counters
from worker.store.queries import jobs as job_queries
from worker.store.queries.tenant_pages import JobEntry
from worker.store.states import IS_WHOLE, in_state
from worker.store.tables.jobs import Batch, Job

WINDOW: Final = 10_000
SEARCHED_BATCHES: Final = 5_000
"""A batch is found by its name among this many of the newest."""
ENDED: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})
"""States that have an index of their own by tenant."""
BATCH_SLACK: Final = timedelta(hours=1)
"""Jobs of a batch have ids of at most this much later than the batch."""
_COMPARE: Final = {
    Comparison.AT_LEAST: ge,
    Comparison.AT_MOST: le,
    Comparison.OVER: gt,
    Comparison.UNDER: lt,
    Comparison.EQUAL: eq,
}
_COLUMNS: Final = tuple(getattr(Job, name) for name in JobEntry.__slots__)


@dataclass(frozen=True, slots=True)
class BatchMatch:
    """A batch that a filter names."""

    id: UUID
    created_at: datetime
    total: int


@dataclass(frozen=True, slots=True)
class Search:
    """A filter with its batch looked up."""

    filter: JobFilter
    batch: BatchMatch | None = None
    is_empty: bool = False
    """It names a batch that does not exist."""

    @property
    def terms(self) -> list[ColumnElement[bool]]:
        """All conditions."""
        return [false()] if self.is_empty else [*self._indexed(), *self._others()]

    def _indexed(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [] if self.filter.id is not None else [IS_WHOLE]
        if self.filter.tenant is not None:
            found.append(Job.tenant == self.filter.tenant)
        if self.batch is not None:
            found.append(Job.batch_id == self.batch.id)
        if self.filter.states:
            found.append(in_state(*self.filter.states))
        if self.filter.model is not None:
            found.append(Job.model == self.filter.model)
        return found

    def _others(self) -> list[ColumnElement[bool]]:
        wanted = self.filter
        found: list[ColumnElement[bool]] = [Job.text.icontains(text, autoescape=True) for text in wanted.texts]
        found += [_COMPARE[how](Job.cost, amount) for how, amount in wanted.costs]
        found += [_COMPARE[how](Job.priority, number) for how, number in wanted.priorities]
        if wanted.code is not None:
            found.append(Job.code == wanted.code)
        if wanted.voice is not None:
            found.append(or_(*(func.lower(voice) == wanted.voice.lower() for voice in (Job.voice_1, Job.voice_2))))
        if wanted.tag is not None:
            found.append(Job.tags.contains(f",{wanted.tag},", autoescape=True))
        if wanted.id is not None:
            found.append(_is_named(wanted.id))
        if wanted.since is not None:
            found.append(Job.created_at >= wanted.since)
        if wanted.until is not None:
            found.append(Job.created_at < wanted.until)
        return found

    @property
    def in_tallies(self) -> bool:
        """Whether the counts that PostgreSQL keeps answer it."""
        return not self._others() and not self.is_empty

    @property
    def is_indexed(self) -> bool:
        """Whether all of its sources match, but for parts of documents: a page reads little more than it shows."""
        wanted = self.filter
        states = bool(wanted.states) and set(wanted.states) <= ENDED and wanted.tenant is not None
        return states and self.batch is None and wanted.model is None and not self._others()

    def sources(self) -> list[ColumnElement[bool]]:
        """Selections that an index returns in the order of ids; together they contain every match."""
        wanted = self.filter
        theirs = [] if wanted.tenant is None else [Job.tenant == wanted.tenant]
        if wanted.since is not None:
            theirs.append(Job.id > id_after(wanted.since - BATCH_SLACK))
        if wanted.id is not None and (job_id := _uuid(wanted.id)) is not None:
            return [and_(*theirs, Job.id == job_id)]
        if wanted.code is not None:
            return [and_(Job.code == wanted.code, *theirs)]
        if self.batch is not None and self.batch.total <= WINDOW:
            return [and_(Job.batch_id == self.batch.id, *theirs)]
        if wanted.states and set(wanted.states) <= ENDED and theirs:
            return [and_(*theirs, in_state(state)) for state in wanted.states]
        return [and_(*theirs, self._bounds())]

    def _bounds(self) -> ColumnElement[bool]:
        """Ids begin with their time, so that times bound them."""
        found: list[ColumnElement[bool]] = [Job.id.is_not(None)]
        if self.batch is not None:
            found += [Job.id >= self.batch.id, Job.id < id_after(self.batch.created_at + BATCH_SLACK)]
        if self.filter.until is not None:
            found.append(Job.id < id_after(self.filter.until + BATCH_SLACK))
        return and_(*found)


@dataclass(frozen=True, slots=True)
class Page:
    jobs: list[JobEntry]
    cursor: UUID | None
    """Continue before this id; None at the end."""
    searched_back_to: datetime | None = None
    """How far the page has looked, if it ended before it was full."""


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    is_exact: bool
    is_estimate: bool = False
    """A rounded figure; otherwise an inexact number is a minimum."""


def search(connection: Connection, wanted: JobFilter) -> Search:
    """Look up the batch that a filter names."""
    if wanted.batch is None:
        return Search(wanted)
    found = _batch(connection, wanted.batch, wanted.tenant)
    return Search(wanted, found, is_empty=found is None)


def page(connection: Connection, wanted: Search, *, before: UUID | None, most: int, window: int = WINDOW) -> Page:
    """Return the newest matches before an id. `window` bounds what is read of each index."""
    if wanted.is_empty:
        return Page([], None)
    parts = [_part(connection, wanted, source, before, most, window) for source in wanted.sources()]
    depth = max((part.cursor for part in parts if part.cursor is not None), default=None)
    found = sorted((job for part in parts for job in part.jobs), key=lambda job: job.id, reverse=True)
    if depth is not None:
        found = [job for job in found if job.id >= depth]
    if len(found) > most:
        return Page(found[:most], found[most - 1].id)
    if depth is None:
        return Page(found, None)
    return Page(found, depth, _time_of(connection, depth))


def _part(  # noqa: PLR0917 - of `page` alone
    connection: Connection,
    wanted: Search,
    source: ColumnElement[bool],
    before: UUID | None,
    most: int,
    window: int,
) -> Page:
    """Search one source; the cursor is the id down to which it was searched."""
    low = None if wanted.is_indexed else _low(connection, source, before, window)
    terms = [IS_WHOLE] if wanted.is_indexed else wanted.terms  # a state that is repeated misleads the planner
    which = [source, *terms, *_after(low), *_before(before)]
    rows = connection.execute(select(*_COLUMNS).where(*which).order_by(Job.id.desc()).limit(most + 1))
    found = [JobEntry(*row) for row in rows]
    if len(found) > most:
        return Page(found, found[-1].id)
    return Page(found, low)


def _low(connection: Connection, source: ColumnElement[bool], before: UUID | None, window: int) -> UUID | None:
    """Return the last id of the window; None if the source ends within it."""
    edge = select(Job.id).where(source, *_before(before)).order_by(Job.id.desc())
    return connection.execute(edge.offset(window - 1).limit(1)).scalar()


def count(connection: Connection, wanted: Search, *, window: int = WINDOW) -> Count:
    """Count the matches: from the tallies, else within the window of the first page."""
    if wanted.is_empty:
        return Count(0, is_exact=True)
    if wanted.in_tallies and counters.about(connection, and_(*wanted.terms)) is not None:
        number = job_queries.counts(connection, and_(*wanted.terms)).total
        return Count(number, is_exact=True) if number <= ESTIMATED else _rounded(number)
    number, is_exact = 0, True
    for source in wanted.sources():
        low = _low(connection, source, None, window)
        number += connection.execute(
            select(func.count()).select_from(Job).where(source, *wanted.terms, *_after(low))
        ).scalar_one()
        is_exact &= low is None
    return Count(number, is_exact)


ESTIMATED: Final = 10_000
"""Above this a count is rounded."""


def _rounded(number: int) -> Count:
    return Count(round(number, -3), is_exact=False, is_estimate=True)


def ids_after(
    connection: Connection,
    wanted: Search,
    *,
    after: UUID | None,
    before: UUID,
    most: int,
    also: ColumnElement[bool],
) -> tuple[Sequence[Any], UUID | None]:
    """Return id and model of up to `most` matches in ascending order, and where to resume; None at the end.

    At most `WINDOW` jobs are looked at.
    """
    if wanted.is_empty:
        return [], None
    sources = wanted.sources()
    source = sources[0] if len(sources) == 1 else and_(*_tenant(wanted))
    base = [source, Job.id < before, *([] if after is None else [Job.id > after])]
    edge = connection.execute(
        select(Job.id).where(*base).order_by(Job.id).offset(WINDOW - 1).limit(1)
    ).scalar_one_or_none()
    inside = base if edge is None else [*base, Job.id <= edge]
    query = select(Job.id, Job.model).where(*inside, *wanted.terms, also).order_by(Job.id).limit(most)
    rows = connection.execute(query).all()
    return rows, rows[-1].id if len(rows) == most else edge


def _tenant(wanted: Search) -> list[ColumnElement[bool]]:
    return [Job.id.is_not(None)] if wanted.filter.tenant is None else [Job.tenant == wanted.filter.tenant]


def _before(before: UUID | None) -> list[ColumnElement[bool]]:
    return [] if before is None else [Job.id < before]


def _after(low: UUID | None) -> list[ColumnElement[bool]]:
    return [] if low is None else [Job.id >= low]


def _time_of(connection: Connection, job_id: UUID) -> datetime | None:
    return connection.execute(select(Job.created_at).where(Job.id == job_id)).scalar()


def _is_named(name: str) -> ColumnElement[bool]:
    job_id = _uuid(name)
    return Job.custom_id == name if job_id is None else or_(Job.id == job_id, Job.custom_id == name)


def _batch(connection: Connection, name: str, tenant: str | None) -> BatchMatch | None:
    theirs = [] if tenant is None else [Batch.tenant == tenant]
    columns = select(Batch.id, Batch.created_at, Batch.total)
    if (batch_id := _uuid(name)) is not None:
        row = connection.execute(columns.where(Batch.id == batch_id, *theirs)).one_or_none()
        return None if row is None else BatchMatch(*row)
    newest = select(Batch.id).order_by(Batch.created_at.desc()).limit(SEARCHED_BATCHES)
    named = or_(Batch.name == name, Batch.name.startswith(f"{name}.", autoescape=True))
    row = connection.execute(
        columns.where(named, Batch.id.in_(newest), *theirs).order_by(Batch.created_at.desc()).limit(1)
    ).one_or_none()
    return None if row is None else BatchMatch(*row)


def id_after(at: datetime) -> UUID:
    """Return an id above all of that millisecond and before: ids are UUIDv7, which begin with their time."""
    return UUID(int=(max(0, int(at.timestamp() * 1000)) + 1) << 80)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
