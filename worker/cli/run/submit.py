"""Queue the rows of an input in one transaction, as a new batch or a resumed one, and audit the files of the latter."""

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
from worker.cli.console.errors import CliError
from worker.cli.console.format import money, number, short
from worker.cli.console.terminal import Terminal
from worker.cli.run import summary
from worker.cli.run.input import Input
from worker.cli.run.order import Destination, Order
from worker.cli.snapshot import Snapshot, take_snapshot
from worker.execution.destinations import Destinations
from worker.producer import Submission
from worker.settings import Settings
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import filters, jobs, results, rivals
from worker.store.queries.results import Audio
from worker.store.transitions import actions

PAGE_JOBS: Final = 100_000
"""A bucket is listed once per page."""
SHOWN_NAMES: Final = 3


@dataclass(slots=True)
class Lost:
    """Files of a batch that do not match its rows."""

    restored: int = 0
    gone: set[UUID] = field(default_factory=set)
    """Jobs whose audio no longer exists."""
    absent: list[str] = field(default_factory=list)
    """Names of those jobs' files."""
    replaced: list[str] = field(default_factory=list)
    """Names taken by a later batch's audio."""
    changed: list[str] = field(default_factory=list)
    """Names of files changed by other programs."""
    renamed: list[str] = field(default_factory=list)
    """Alternative names of audio whose own name was taken."""

    @property
    def unsound(self) -> int:
        """Number of texts without a correct file under their own name."""
        return len(self.gone) + len(self.replaced) + len(self.changed) + len(self.renamed)


@dataclass(frozen=True, slots=True)
class Audit:
    """Compares one batch's files with its rows."""

    database: Database
    places: Destinations
    batch: UUID
    tenant: str
    overwrite: bool = False
    """Whether files changed by other programs are replaced by the recorded audio."""
    offload: bool = False
    """Whether the folder may be on the workers' machines."""

    def run(self) -> Lost:
        """Check every object and restore what can be restored. Buys nothing. Raises ArtifactsError."""
        lost, jobs = Lost(), 0
        store = self.places.store_of(tenant=self.tenant, batch_id=self.batch)
        for page in self._pages():
            jobs += len(page)
            self._check(store, page, lost)
        if self.offload and len(lost.gone) == jobs and isinstance(store, FolderStore) and not store.was_written:
            lost.gone.clear()
            lost.absent.clear()
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

    def _check(self, store: ArtifactStore, page: Sequence[Audio], lost: Lost) -> None:
        jobs = {key: job for job in page if (key := store.key_of(job.uri)) is not None}
        if not self.places.names_jobs(self.batch):
            lost.renamed += [key for key, job in jobs.items() if str(job.id) in key and job.custom_id is not None]
        wanted = [Wanted(key, job.sha256, job.audio_bytes) for key, job in jobs.items()]
        for key, found in (store.unsound(wanted) if wanted else {}).items():
            self._sort(store, key, jobs[key], found, lost)

    def _sort(self, store: ArtifactStore, key: str, job: Audio, found: StoredObject | None, lost: Lost) -> None:
        if found is None or (self.overwrite and isinstance(store, FolderStore) and store.adopt(key)):
            if self._restore(store, key, job):
                lost.restored += 1
            else:
                lost.gone.add(job.id)
                lost.absent.append(key)
        elif found.known and Owner.of(found.metadata).job not in {None, str(job.id)}:
            lost.replaced.append(key)
        else:
            lost.changed.append(key)

    def _restore(self, store: ArtifactStore, key: str, job: Audio) -> bool:
        """Restore the recorded content, identified by its checksum."""
        metadata = Owner(str(job.id), str(self.batch)).metadata()
        with suppress(ArtifactsError, NameTakenError):
            return store.copy(job.uri, key, metadata=metadata, sha256=job.sha256) is not None
        return False


class AudioGoneError(CliError):
    """A superseded batch would be made anew, and would buy audio again whose files are gone."""

    def __init__(self, names: Sequence[str], again: str) -> None:
        super().__init__(
            f"missing files of this run: {named(names)}; nothing was queued or charged",
            f"put them back, or buy just those again: {again} --missing",
        )


def refuse_gone(database: Database, wanted: Input, order: Order, lost: Lost) -> None:
    """Ask for consent where the batch can't be resumed, because a new one buys what it can't copy. Raises
    AudioGoneError: there is none.
    """
    if wanted.batch is None or not lost.gone or order.missing or order.rehearse:
        return
    with database.read() as connection:
        is_superseded = rivals.is_superseded(connection, wanted.batch)
    if is_superseded:
        raise AudioGoneError(lost.absent, summary.again(order, None))


def named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    batch: BatchRecord
    before: Snapshot
    lost: Lost

    @property
    def which(self) -> ColumnElement[bool]:
        return jobs.of_batch(self.batch.id)


def submit(
    database: Database,
    wanted: Input,
    *,
    order: Order,
    settings: Settings,
    destination: Destination,
    lost: Lost,
    terminal: Terminal,
) -> SubmittedBatch:
    """Queue the rows in one transaction, or find the batch that the same command queued before."""
    # A rehearsal costs nothing, so it needs no --missing.
    anew = bool(lost.gone) and (order.missing or order.rehearse)
    # Audio replaced by a later batch is copied by a new batch, which supersedes that one.
    renew = bool(lost.replaced) and not lost.gone
    with database.begin() as connection:
        now = database.now(connection)
        if (anew or renew) and wanted.batch is not None:
            # Unfinished jobs continue in the batch that replaces this one.
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
            max_text_bytes=settings.max_text_bytes,
            sources=wanted.sources,
            now=now,
        )
    before = take_snapshot(database, jobs.of_batch(submission.batch.id), embedded=settings.embedded)
    _announce(terminal, order, destination, submission, before)
    if lost.restored:
        terminal.note(f"{number(lost.restored, 'file')} restored at no cost")
    _announce_others(database, settings, before, terminal)
    return SubmittedBatch(submission.batch, before, lost if submission.resumed else Lost())


def _announce(
    terminal: Terminal, order: Order, destination: Destination, submission: Submission, before: Snapshot
) -> None:
    terminal.note(f"{order.title}: {number(before.total, 'text')} → {destination.shown}")
    if not submission.resumed or before.all_finished:
        return
    again = f" ({submission.retried:,} retried)" if submission.retried else ""
    remaining = before.total - before.finished
    terminal.note(
        f"Resuming batch {short(submission.batch.id)}: {before.succeeded:,} finished, {remaining:,} remaining{again}"
    )
    for budget in before.budgets:
        if budget.batch_id == submission.batch.id and order.max_cost is None:
            terminal.note(f"Budget unchanged: {money(budget.spent)} of {money(budget.limit)} spent")


def _announce_others(database: Database, settings: Settings, before: Snapshot, terminal: Terminal) -> None:
    """Announce jobs of other runs: an embedded worker processes the whole queue."""
    if not settings.embedded:
        if settings.artifacts_url is None:
            terminal.note(
                "TTSQ_ARTIFACTS_URL is not set: each worker writes audio to this folder on its own machine",
                style="yellow",
            )
        return
    everything = take_snapshot(database, jobs.all_jobs(), embedded=True)
    held = everything.held_by_takes - before.held_by_takes
    others = (everything.total - everything.finished) - (before.total - before.finished) - held
    if others:
        terminal.note(
            f"{number(others, 'job')} of earlier runs in this queue will run too;"
            " `ttsq status` lists them, `ttsq jobs cancel --batch …` cancels them",
            style="yellow",
        )
