"""`ttsq batch download`: a batch's audio and result files in a folder, or in one archive.

Weakness: an archive is put together from a folder beside it, so while that lasts both need room.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.artifacts.folder import FolderStore
from worker.artifacts.folder_files import is_file, is_taken
from worker.artifacts.partial import arriving
from worker.cli.batch import resulting
from worker.cli.batch.fetching import Fetched, Fetcher
from worker.cli.queue import lookup, opening
from worker.cli.talk.errors import BadOptionError, CliError
from worker.cli.talk.exits import Exit
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import number
from worker.opening import open_places
from worker.results.files import CONTENT_TYPES
from worker.results.passing import passing_folder
from worker.store.batches import BatchRecord

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
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.read() as connection:
            batch = lookup.batch(connection, wanted)
        if archive is not None and not _may_replace(archive, batch, overwrite=target.overwrite):
            raise ArchiveTakenError(archive)
        folder = _folder(batch, out, archive)
        folder.mkdir(parents=True, exist_ok=True)
        places = open_places(settings, database, connections=parallel)
        store = FolderStore(folder.absolute(), remembers=False)
        found = Fetcher(database, places, batch, store, overwrite=target.overwrite).run(parallel)
        with passing_folder() as passing:
            resulting.gather(database, batch, settings, passing)
            resulting.place_in(folder, passing, batch, overwrite=target.overwrite)
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
        terminal.trouble(f"  {trouble}", style="red")
    if (more := len(found.troubles) - SHOWN_TROUBLES) > 0:
        terminal.trouble(f"  and {more:,} more; the same command tries them again")
