"""`ttsq jobs list` and `ttsq jobs show`. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_

from api_models import job_filter
from api_models.status import JobStatus
from worker.artifacts.errors import ArtifactsError
from worker.cli import database as cli_database
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.jobs import show
from worker.process.factories import open_destinations
from worker.settings import Settings
from worker.store.database import Database
from worker.store.queries import filters as job_filters
from worker.store.queries import job_search, jobs
from worker.store.queries.jobs import JobRecord

SHOWN_JOBS: Final = 50
PAGE_JOBS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Filters:
    """The options that select jobs, besides their ids."""

    batch: str | None = None
    states: tuple[JobStatus, ...] = ()
    code: str | None = None
    text: str = ""
    """A filter in the grammar of the console."""

    def chosen(self, connection: Connection, job_ids: tuple[UUID, ...] = ()) -> ColumnElement[bool]:
        """Build the selection. Raises UnknownBatchError or AmbiguousError, InvalidInputError."""
        batch_id = None if self.batch is None else cli_database.batch(connection, self.batch).id
        which = job_filters.selection(batch_id=batch_id, states=self.states, code=self.code, job_ids=job_ids)
        if not self.text.strip():
            return which
        wanted = job_search.search(connection, job_filter.parse(self.text, now=datetime.now(UTC)))
        return and_(which, *wanted.terms)


def list_jobs(filters: Filters, *, limit: int | None, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database:
        with database.read() as connection:
            which = filters.chosen(connection)
            total = jobs.counts(connection, which).total
        if as_json:
            for job in _pages(database, which, limit):
                terminal.data(show.as_data(job))
            return
        shown = list(_pages(database, which, limit or SHOWN_JOBS))
    if not shown:
        terminal.result("No matching jobs.")
        return
    for line in show.lines(shown, terminal.results.width if terminal.results.is_terminal else None):
        terminal.result(line)
    if total > len(shown):
        terminal.note(f"{total - len(shown):,} more; add --limit {total} to show all", style="dim")


def show_job(wanted: str, batch: str | None, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            job, older = cli_database.newest_job(connection, wanted, batch)
            attempts = jobs.attempts(connection, job.id)
        address = _address(settings, database, job)
    terminal.data(show.in_full(job, attempts, address))
    if not as_json:
        for line in show.details(job, attempts, address):
            terminal.result(line)
    if older:
        terminal.note(f"{number(older, 'older job')} with this custom_id; choose by --batch or id", style="dim")


def _address(settings: Settings, database: Database, job: JobRecord) -> str | None:
    """Return the audio's public or signed address, if the settings provide one."""
    if job.uri is None or job.purged_at is not None:
        return None
    places = open_destinations(settings, database, connections=1)
    with suppress(ArtifactsError):
        found = places.containing(job.uri, tenant=job.tenant, batch_id=job.batch_id)
        return None if found is None else places.address(found)
    return None


def _pages(database: Database, which: ColumnElement[bool], limit: int | None) -> Iterator[JobRecord]:
    """Yield jobs in pages, so that a long list needs little memory and no long transaction."""
    remaining, after = limit, None
    while remaining is None or remaining > 0:
        size = PAGE_JOBS if remaining is None else min(remaining, PAGE_JOBS)
        with database.read() as connection:
            page = jobs.jobs(connection, which, after=after, most=size)
        yield from page
        if len(page) < size:
            return
        after = page[-1].id
        remaining = None if remaining is None else remaining - size
