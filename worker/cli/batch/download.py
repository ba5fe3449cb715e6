"""`ttsq batch download`: audio and result files of a batch, as a folder or one archive.

Weakness: an archive is built from a folder beside it, so both need disk space for a while.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from api_models.status import JobStatus
from api_models.values import name_fault
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.folder.files import is_file, is_taken
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import Owner
from worker.artifacts.partial import arriving
from worker.artifacts.store import Wanted
from worker.cli import database as cli_database
from worker.cli.batch import results
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.exits import Exit
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.execution.destinations import Destination, Destinations
from worker.process.factories import open_destinations
from worker.results.destination import ResultsDestination as Results
from worker.results.files import CONTENT_TYPES
from worker.results.temporary import temporary_folder
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import jobs
from worker.store.queries.jobs import JobRecord

PAGE_JOBS: Final = 1_000


@dataclass(slots=True)
class Fetched:
    names: list[str] = field(default_factory=list)
    """Names of all files that are now present."""
    bytes: int = 0
    already: int = 0
    """How many of them were present before."""
    removed: int = 0
    """Jobs whose audio was removed after its retention time."""
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetcher:
    database: Database
    places: Destinations
    batch: BatchRecord
    folder: FolderStore
    overwrite: bool = False
    """Whether files that ttsq did not create may be replaced."""

    def run(self, parallel: int, progress: Callable[[Fetched], object] = lambda _: None) -> Fetched:
        """Download everything. Safe to repeat: files that are already complete are skipped."""
        store = self.places.store_of(tenant=self.batch.tenant, batch_id=self.batch.id)
        shared = Results.of(self.batch, store).folder if self.batch.output_url is None else ""
        found, pending = Fetched(), set[Future[tuple[str, int, bool]]]()
        with ThreadPoolExecutor(parallel, thread_name_prefix="download") as pool:
            for job in self._spoken():
                if job.purged_at is not None:
                    found.removed += 1
                    continue
                pending.add(pool.submit(self._fetch, job, shared))
                if len(pending) >= parallel * 2:
                    pending = _note(found, pending)
                    progress(found)
            while pending:
                pending = _note(found, pending)
                progress(found)
        return found

    def _spoken(self) -> Iterator[JobRecord]:
        after: UUID | None = None
        while True:
            with self.database.read() as connection:
                which = jobs.of_batch(self.batch.id)
                page = jobs.jobs(connection, which, states=[JobStatus.SUCCEEDED], after=after, most=PAGE_JOBS)
            yield from page
            if len(page) < PAGE_JOBS:
                return
            after = page[-1].id

    def _fetch(self, job: JobRecord, shared: str) -> tuple[str, int, bool]:
        """Return the file's name, its size in bytes, and whether it already existed. Raises _MissedError."""
        place = self.places.containing(job.uri or "", tenant=job.tenant, batch_id=job.batch_id)
        if place is None:
            raise _MissedError(f"{job.uri} is not in a store of these settings")
        name, size = place.key.removeprefix(shared), job.audio_bytes or 0
        try:
            there = self.folder.head(name)
            if there is not None and there.sha256 == job.sha256:
                return name, size, True
            if self._receive(name, place, job):
                return name, size, False
            other = place.store.occupant(place.key) is not None
            why = "holds a different take than the recorded one" if other else "no longer exists"
            raise _MissedError(f"{name}: {why}")
        except NameTakenError as error:
            message = "exists and was not created by ttsq; choose another folder, or add --overwrite"
            raise _MissedError(f"{name}: {message}") from error
        except ArtifactsError as error:
            raise _MissedError(f"{name}: {error.message}") from error

    def _receive(self, name: str, place: Destination, job: JobRecord) -> bool:
        source = Wanted(place.key, job.sha256 or "", job.audio_bytes)
        owner = Owner(str(job.id), str(self.batch.id)).metadata()
        try:
            return self.folder.receive(name, place.store, source, metadata=owner)
        except NameTakenError:
            if not (self.overwrite and self.folder.adopt(name)):
                raise
            return self.folder.receive(name, place.store, source, metadata=owner)


class _MissedError(Exception):
    """A file could not be downloaded; the message says why."""


def _note(found: Fetched, pending: set[Future[tuple[str, int, bool]]]) -> set[Future[tuple[str, int, bool]]]:
    done, rest = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        try:
            name, size, was_there = future.result()
        except _MissedError as error:
            found.failures.append(str(error))
            continue
        found.names.append(name)
        found.bytes += size
        found.already += was_there
    return rest


SHOWN_FAILURES: Final = 10
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    out: Path | None
    archive: Path | None
    overwrite: bool = False
    """Whether files that ttsq did not create may be replaced."""


class ArchiveTakenError(CliError):
    def __init__(self, archive: Path) -> None:
        super().__init__(
            f"{archive} exists and is not an archive of this batch",
            "choose another name, or add --overwrite to replace a file",
        )


def download(wanted: str, target: Target, *, parallel: int, as_json: bool) -> Exit:
    """Download a batch. Returns SOME_FAILED if a file could not be downloaded. Raises ArchiveTakenError,
    ResultsTakenError: user files have these names.
    """
    terminal = Terminal(as_json=as_json)
    out, archive = target.out, target.archive
    if out is not None and archive is not None:
        raise BadOptionError("--zip", str(archive), "cannot be combined with --out", "use one of them")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
        if archive is not None and not _may_replace(archive, batch, overwrite=target.overwrite):
            raise ArchiveTakenError(archive)
        folder = _folder(batch, out, archive)
        folder.mkdir(parents=True, exist_ok=True)
        places = open_destinations(settings, database, connections=parallel)
        store = FolderStore(folder.absolute(), remembers=False)
        found = Fetcher(database, places, batch, store, overwrite=target.overwrite).run(parallel)
        with temporary_folder() as staging:
            results.gather(database, batch, settings, staging)
            results.place_in(folder, staging, batch, overwrite=target.overwrite)
    if archive is not None and not found.failures:
        _pack(folder, [*found.names, *CONTENT_TYPES], archive, batch)
        shutil.rmtree(folder)
    _print(terminal, found, archive if archive is not None and not found.failures else folder)
    terminal.data(
        {
            "batch": str(batch.id),
            "place": str(archive or folder),
            "files": len(found.names),
            "already_there": found.already,
            "removed": found.removed,
            "bytes": found.bytes,
            "troubles": found.failures,
        }
    )
    return Exit.SOME_FAILED if found.failures else Exit.DONE


def _folder(batch: BatchRecord, out: Path | None, archive: Path | None) -> Path:
    """Return the target folder; for an archive, a hidden folder that the same command finds again."""
    if archive is not None:
        return archive.with_name(f".{archive.name}.{batch.id}")
    if out is not None:
        return out
    # A batch's name may lead out of this folder, or into a hidden one such as .ssh.
    stem = Path(batch.name.replace("\\", "/")).stem
    return Path(str(batch.id) if not stem or name_fault(stem) else stem)


def _pack(folder: Path, names: Sequence[str], archive: Path, batch: BatchRecord) -> None:
    """Write an uncompressed archive (audio does not compress); it appears only when complete."""
    with arriving(archive.parent) as path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
            for name in sorted(set(names)):
                packed.write(folder / name, name)
            packed.comment = _comment(packed, batch)
        path.replace(archive)


def _may_replace(archive: Path, batch: BatchRecord, *, overwrite: bool) -> bool:
    """Return whether nothing is there, an unchanged archive of this batch, or a file that may be overwritten."""
    if not is_file(archive):
        return not is_taken(archive)
    if overwrite:
        return True
    try:
        with zipfile.ZipFile(archive) as packed:
            return packed.comment == _comment(packed, batch)
    except (zipfile.BadZipFile, OSError):
        return False


def _comment(packed: zipfile.ZipFile, batch: BatchRecord) -> bytes:
    """Return the archive comment that identifies this batch and its entries, to detect later changes."""
    entries = "\n".join(f"{one.filename} {one.file_size} {one.CRC}" for one in packed.infolist())
    return f"ttsq batch {batch.id} {hashlib.sha256(entries.encode(errors='surrogateescape')).hexdigest()}".encode()


def _print(terminal: Terminal, found: Fetched, place: Path) -> None:
    fetched = len(found.names) - found.already
    already = f", {found.already:,} already present" if found.already else ""
    terminal.result(f"{number(fetched, 'file')} downloaded{already}, {found.bytes / MEGABYTE:,.1f} MB, in {place}")
    if found.removed:
        terminal.note(f"{number(found.removed, 'file')} skipped: audio removed after its retention time")
    for failure in found.failures[:SHOWN_FAILURES]:
        terminal.warn(f"  {failure}", style="red")
    if (more := len(found.failures) - SHOWN_FAILURES) > 0:
        terminal.warn(f"  and {more:,} more; repeat the command to retry")
