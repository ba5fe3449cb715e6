"""The rows of an input into the queue, in one transaction: as a new batch, or as one that is taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement

from worker import producer
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import Owner
from worker.artifacts.store import ArtifactStore, StoredObject, Wanted
from worker.cli.console.format import money, number, short
from worker.cli.console.terminal import Terminal
from worker.cli.money.needs import Input
from worker.cli.run.order import Destination, Order
from worker.cli.snapshot import Snapshot, take_snapshot
from worker.execution.destinations import Destinations
from worker.producer import Submission
from worker.settings import Settings
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import filters, jobs, results
from worker.store.queries.results import Audio
from worker.store.transitions import actions

PAGE_JOBS: Final = 100_000
"""A bucket is listed once for each page."""
SHOWN_NAMES: Final = 3


@dataclass(slots=True)
class Lost:
    """What is not where it should be."""

    put_back: int = 0
    gone: set[UUID] = field(default_factory=set)
    """The jobs whose audio is nowhere to be found."""
    replaced: list[str] = field(default_factory=list)
    """Names that a later batch's audio has."""
    changed: list[str] = field(default_factory=list)
    """Names of files that something else has changed or replaced."""
    renamed: list[str] = field(default_factory=list)
    """Names that audio was given because its own was taken."""

    @property
    def unsound(self) -> int:
        """How many texts have no file of theirs under their own name."""
        return len(self.gone) + len(self.replaced) + len(self.changed) + len(self.renamed)


@dataclass(frozen=True, slots=True)
class Audit:
    """Of one batch's audio."""

    database: Database
    places: Destinations
    batch: UUID
    tenant: str
    overwrite: bool = False
    """Whether what was changed by another hand is replaced by the recorded audio."""
    offload: bool = False
    """Whether workers on other machines may have the folder."""

    def run(self) -> Lost:
        """Look at every object, and put back what can be. Buys nothing. Raises ArtifactsError."""
        lost, jobs = Lost(), 0
        store = self.places.store_of(tenant=self.tenant, batch_id=self.batch)
        for page in self._pages():
            jobs += len(page)
            self._look(store, page, lost)
        if self.offload and len(lost.gone) == jobs and isinstance(store, FolderStore) and not store.was_written:
            lost.gone.clear()
        return lost

    def _pages(self) -> Iterator[Sequence[Audio]]:
        after: UUID | None = None
        while True:
            with self.database.read() as connection:
                page = results.audio(connection, self.batch, after=after, most=PAGE_JOBS)
            if page:
                yield page
            if len(page) < PAGE_JOBS:
                return
            after = page[-1].id

    def _look(self, store: ArtifactStore, page: Sequence[Audio], lost: Lost) -> None:
        jobs = {key: job for job in page if (key := store.key_of(job.uri)) is not None}
        lost.renamed += [key for key, job in jobs.items() if str(job.id) in key and job.custom_id is not None]
        wanted = [Wanted(key, job.sha256, job.audio_bytes) for key, job in jobs.items()]
        for key, found in (store.unsound(wanted) if wanted else {}).items():
            self._sort(store, key, jobs[key], found, lost)

    def _sort(self, store: ArtifactStore, key: str, job: Audio, found: StoredObject | None, lost: Lost) -> None:
        if found is None or (self.overwrite and isinstance(store, FolderStore) and store.adopt(key)):
            if self._put_back(store, key, job):
                lost.put_back += 1
            else:
                lost.gone.add(job.id)
        elif found.known and Owner.of(found.metadata).job not in {None, str(job.id)}:
            lost.replaced.append(key)
        else:
            lost.changed.append(key)

    def _put_back(self, store: ArtifactStore, key: str, job: Audio) -> bool:
        """The very content that was bought, by its checksum; another's is worth nothing."""
        metadata = Owner(str(job.id), str(self.batch)).metadata()
        with suppress(ArtifactsError, NameTakenError):
            return store.copy(job.uri, key, metadata=metadata, sha256=job.sha256) is not None
        return False


def named(names: Sequence[str]) -> str:
    """The first few."""
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch in the queue, and how it stood at that moment."""

    batch: BatchRecord
    before: Snapshot
    lost: Lost
    """What of its audio is not where it should be."""

    @property
    def which(self) -> ColumnElement[bool]:
        """Its jobs."""
        return jobs.of_batch(self.batch.id)


def submit(
    database: Database,
    wanted: Input,
    *,
    order: Order,
    settings: Settings,
    place: Destination,
    lost: Lost,
    terminal: Terminal,
) -> Handed:
    """Store the rows, or find what the same command stored before, and say which."""
    # Nothing is paid in a rehearsal, so nobody need be asked.
    anew = bool(lost.gone) and (order.missing or order.rehearse)
    # What a later batch has replaced is copied by a new batch, which supersedes that one.
    renew = bool(lost.replaced) and not lost.gone
    with database.begin() as connection:
        now = database.now(connection)
        if (anew or renew) and wanted.batch is not None:
            # What isn't done yet goes on in the batch that takes this one's place.
            actions.cancel(connection, filters.unfinished(jobs.of_batch(wanted.batch)), now=now)
        submission = producer.submit_batch(
            connection,
            wanted.rows,
            name=order.title,
            origin=wanted.origin,
            output_url=wanted.output_url,
            resume=order.resume and not anew,
            use_cache=order.resume,
            max_cost=order.max_cost,
            key_template=order.key_template,
            key=wanted.key,
            renew=renew,
            buy_again=wanted.again,
            kept_seconds=settings.expires_after,
            now=now,
        )
    before = take_snapshot(database, jobs.of_batch(submission.batch.id), embedded=settings.embedded)
    _tell(terminal, order, place, submission, before)
    if lost.put_back:
        terminal.note(f"{number(lost.put_back, 'file')} that had gone put back, at no cost")
    _tell_of_others(database, settings, before, terminal)
    return Handed(submission.batch, before, lost if submission.resumed else Lost())


def _tell(terminal: Terminal, order: Order, place: Destination, submission: Submission, before: Snapshot) -> None:
    terminal.note(f"{order.title}: {number(before.total, 'text')} → {place.shown}")
    if not submission.resumed or before.all_finished:
        return
    again = f", {submission.retried:,} of them once more" if submission.retried else ""
    left = before.total - before.finished
    terminal.note(
        f"Taking up batch {short(submission.batch.id)}: {before.succeeded:,} done already, {left:,} to go{again}"
    )
    for budget in before.budgets:
        if budget.batch_id == submission.batch.id and order.max_cost is None:
            terminal.note(f"Its budget of {money(budget.limit)} stays, of which {money(budget.spent)} is spent")


def _tell_of_others(database: Database, settings: Settings, before: Snapshot, terminal: Terminal) -> None:
    """A worker in this process does all there is in the queue, so its owner should know what that is."""
    if not settings.embedded:
        if settings.artifacts_url is None:
            terminal.note(
                "TTSQ_ARTIFACTS_URL is not set: each worker leaves audio on its own machine, in a folder of this name",
                style="yellow",
            )
        return
    everything = take_snapshot(database, jobs.all_jobs(), embedded=True)
    held = everything.held_by_takes - before.held_by_takes
    others = (everything.total - everything.finished) - (before.total - before.finished) - held
    if others:
        terminal.note(
            f"{number(others, 'job')} of earlier runs in this queue will be done as well;"
            " `ttsq status` lists them, `ttsq jobs cancel --batch …` calls them off",
            style="yellow",
        )
