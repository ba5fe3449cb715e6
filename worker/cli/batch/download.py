"""`ttsq batch download`: a batch's audio and result files in a folder, or in one archive.

Weakness: an archive is put together from a folder beside it, so while that lasts both need room.
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
from worker.process.factories import open_places
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
    """What became of it."""

    names: list[str] = field(default_factory=list)
    """Files that are there now, from the folder."""
    bytes: int = 0
    already: int = 0
    """Of those, the ones that were there before."""
    removed: int = 0
    """Jobs whose audio was removed when its time was over."""
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Of one batch, into one folder."""

    database: Database
    places: Destinations
    batch: BatchRecord
    folder: FolderStore
    overwrite: bool = False
    """Whether files that ttsq didn't make may be replaced."""

    def run(self, parallel: int, progress: Callable[[Fetched], object] = lambda _: None) -> Fetched:
        """Fetch all that is there. Safe to be given again: it goes on from where it was broken off."""
        store = self.places.store_of(tenant=self.batch.tenant, batch_id=self.batch.id)
        shared = Results.of(self.batch, store).folder if self.batch.output_url is None else ""
        found, under_way = Fetched(), set[Future[tuple[str, int, bool]]]()
        with ThreadPoolExecutor(parallel, thread_name_prefix="download") as pool:
            for job in self._spoken():
                if job.purged_at is not None:
                    found.removed += 1
                    continue
                under_way.add(pool.submit(self._fetch, job, shared))
                if len(under_way) >= parallel * 2:
                    under_way = _note(found, under_way)
                    progress(found)
            while under_way:
                under_way = _note(found, under_way)
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
        """The file's name, its bytes, and whether it was there before. Raises _MissedError."""
        place = self.places.containing(job.uri or "", tenant=job.tenant, batch_id=job.batch_id)
        if place is None:
            raise _MissedError(f"{job.uri} lies in no store of these settings")
        name, size = place.key.removeprefix(shared), job.audio_bytes or 0
        try:
            there = self.folder.head(name)
            if there is not None and there.sha256 == job.sha256:
                return name, size, True
            if self._receive(name, place, job):
                return name, size, False
            other = place.store.occupant(place.key) is not None
            why = "another take lies there than the one that was recorded" if other else "it is no longer there"
            raise _MissedError(f"{name}: {why}")
        except NameTakenError as error:
            message = "something that ttsq didn't make has this name; choose another folder, or add --overwrite"
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
    """One file couldn't be had; the message says why."""


def _note(found: Fetched, under_way: set[Future[tuple[str, int, bool]]]) -> set[Future[tuple[str, int, bool]]]:
    done, rest = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        try:
            name, size, was_there = future.result()
        except _MissedError as error:
            found.troubles.append(str(error))
            continue
        found.names.append(name)
        found.bytes += size
        found.already += was_there
    return rest


SHOWN_TROUBLES: Final = 10
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where it goes: a folder, or an archive."""

    out: Path | None
    archive: Path | None
    overwrite: bool = False
    """Whether files that ttsq didn't make may be replaced."""


class ArchiveTakenError(CliError):
    """Something else than an archive of this batch has the archive's name."""

    def __init__(self, archive: Path) -> None:
        super().__init__(
            f"{archive} is no archive of this batch, and was left as it is",
            "choose another name, or add --overwrite to replace a file",
        )


def download(wanted: str, target: Target, *, parallel: int, as_json: bool) -> Exit:
    """Fetch it. SOME_FAILED where a file that should be there couldn't be had.

    Raises:
        ArchiveTakenError, ResultsTakenError: the user's own files have the names.
    """
    terminal = Terminal(as_json=as_json)
    out, archive = target.out, target.archive
    if out is not None and archive is not None:
        raise BadOptionError("--zip", str(archive), "doesn't go together with --out", "give one of the two")
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
        if archive is not None and not _may_replace(archive, batch, overwrite=target.overwrite):
            raise ArchiveTakenError(archive)
        folder = _folder(batch, out, archive)
        folder.mkdir(parents=True, exist_ok=True)
        places = open_places(settings, database, connections=parallel)
        store = FolderStore(folder.absolute(), remembers=False)
        found = Fetcher(database, places, batch, store, overwrite=target.overwrite).run(parallel)
        with temporary_folder() as passing:
            results.gather(database, batch, settings, passing)
            results.place_in(folder, passing, batch, overwrite=target.overwrite)
    if archive is not None and not found.troubles:
        _pack(folder, [*found.names, *CONTENT_TYPES], archive, batch)
        shutil.rmtree(folder)
    _tell(terminal, found, archive if archive is not None and not found.troubles else folder)
    terminal.data(
        {
            "batch": str(batch.id),
            "place": str(archive or folder),
            "files": len(found.names),
            "already_there": found.already,
            "removed": found.removed,
            "bytes": found.bytes,
            "troubles": found.troubles,
        }
    )
    return Exit.SOME_FAILED if found.troubles else Exit.DONE


def _folder(batch: BatchRecord, out: Path | None, archive: Path | None) -> Path:
    """Where the files go; on their way to an archive, a folder by which the same command finds them again."""
    if archive is not None:
        return archive.with_name(f".{archive.name}.{batch.id}")
    if out is not None:
        return out
    # A name that could be a path, or lead upwards, is nobody's to choose.
    stem = Path(batch.name.replace("\\", "/")).stem
    return Path(stem if stem.strip(".") else str(batch.id))


def _pack(folder: Path, names: Sequence[str], archive: Path, batch: BatchRecord) -> None:
    """Stored as they are: audio doesn't get smaller. The archive appears when it is whole."""
    with arriving(archive.parent) as path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
            for name in sorted(names):
                packed.write(folder / name, name)
            packed.comment = _comment(packed, batch)
        path.replace(archive)


def _may_replace(archive: Path, batch: BatchRecord, *, overwrite: bool) -> bool:
    """Whether there is nothing, an archive of this batch as it was made, or a file that the user gives up."""
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
    """By which an archive is known to be this batch's, and unchanged: over the names, sizes and checksums in it."""
    entries = "\n".join(f"{one.filename} {one.file_size} {one.CRC}" for one in packed.infolist())
    return f"ttsq batch {batch.id} {hashlib.sha256(entries.encode(errors='surrogateescape')).hexdigest()}".encode()


def _tell(terminal: Terminal, found: Fetched, place: Path) -> None:
    fetched = len(found.names) - found.already
    already = f", {found.already:,} there already" if found.already else ""
    terminal.result(f"{number(fetched, 'file')} fetched{already}, {found.bytes / MEGABYTE:,.1f} MB, in {place}")
    if found.removed:
        terminal.note(f"{number(found.removed, 'file')} removed when their time was over")
    for trouble in found.troubles[:SHOWN_TROUBLES]:
        terminal.warn(f"  {trouble}", style="red")
    if (more := len(found.troubles) - SHOWN_TROUBLES) > 0:
        terminal.warn(f"  and {more:,} more; the same command tries them again")
