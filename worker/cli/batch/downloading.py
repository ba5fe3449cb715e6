"""`ttsq batch download`: a batch's audio and result files in a folder, or in one archive.

Weakness: an archive is put together from a folder beside it, so while that lasts both need room.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from worker.cli.batch import resulting
from worker.cli.batch.fetching import Fetched, Fetcher
from worker.cli.queue import lookup, opening
from worker.cli.talk.errors import BadOptionError
from worker.cli.talk.exits import Exit
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import number
from worker.opening import open_places
from worker.results.files import CONTENT_TYPES
from worker.results.passing import passing_folder
from worker.store.batches import BatchRecord

SHOWN_TROUBLES: Final = 10
MEGABYTE: Final = 1_000_000


def download(wanted: str, *, out: Path | None, archive: Path | None, parallel: int, as_json: bool) -> Exit:
    """Fetch it. SOME_FAILED where a file that should be there couldn't be had."""
    terminal = Terminal(as_json=as_json)
    if out is not None and archive is not None:
        raise BadOptionError("--zip", str(archive), "doesn't go together with --out", "give one of the two")
    settings = opening.settings(terminal)
    with opening.queue(settings) as database:
        with database.read() as connection:
            batch = lookup.batch(connection, wanted)
        folder = _folder(batch, out, archive)
        folder.mkdir(parents=True, exist_ok=True)
        places = open_places(settings, database, connections=parallel)
        found = Fetcher(database, places, batch, folder).run(parallel)
        with passing_folder() as passing:
            resulting.gather(database, batch, settings, passing)
            resulting.place_in(folder, passing)
    if archive is not None and not found.troubles:
        _pack(folder, [*found.names, *CONTENT_TYPES], archive)
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


def _pack(folder: Path, names: Sequence[str], archive: Path) -> None:
    """Stored as they are: audio doesn't get smaller. The archive appears when it is whole."""
    arriving = archive.with_name(f".{archive.name}.part")
    with zipfile.ZipFile(arriving, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(names):
            packed.write(folder / name, name)
    arriving.replace(archive)


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
