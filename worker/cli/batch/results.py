"""The result files of a batch as its rows stand now, on this machine: to read early, or to have at hand."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import REPLACEABLE, Owner, standing
from worker.artifacts.partial import sha256_of
from worker.cli import database as cli_database
from worker.cli.batch.show import state_of
from worker.cli.console.errors import CliError
from worker.cli.console.format import number, short
from worker.cli.console.terminal import Terminal
from worker.process.factories import open_places
from worker.results.destination import ResultsDestination
from worker.results.files import CONTENT_TYPES, ERRORS, RESULTS, Written
from worker.results.finisher import Finisher
from worker.results.temporary import temporary_folder
from worker.settings import Settings
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import results

CONNECTIONS = 1


class NotFinishedError(CliError):
    """Results of a batch that isn't over have to be asked for as what they are."""

    def __init__(self, batch: BatchRecord) -> None:
        state = state_of(batch, over=False)
        super().__init__(
            f"{batch.name} isn't over, but {state}",
            f"`ttsq batch results {short(batch.id)} --partial` has what there is",
        )


class ResultsTakenError(CliError):
    """Files that ttsq didn't make have the names of result files."""

    def __init__(self, out: Path, names: Sequence[str]) -> None:
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        super().__init__(
            f"{out / names[0]}{others} not made by this batch; nothing was overwritten",
            "choose another folder, or add --overwrite to replace them",
        )


def write(wanted: str, *, partial: bool, out: Path | None, errors: bool, overwrite: bool = False) -> None:
    """Print them, or leave them in a folder.

    Raises:
        NotOverError: the batch isn't over, and all of it was asked for.
        ResultsTakenError: the user's own files have their names.
    """
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
            over = results.standing(connection, batch.id) is not None
        if not over and not partial:
            raise NotFinishedError(batch)
        with temporary_folder() as folder:
            written = gather(database, batch, settings, folder)
            if out is None:
                _print(folder / (ERRORS if errors else RESULTS))
            else:
                place_in(out, folder, batch, overwrite=overwrite)
                terminal.result(f"{_words(written)}, in {out}")


def gather(database: Database, batch: BatchRecord, settings: Settings, folder: Path) -> Written:
    """All three files into a folder that is there."""
    places = open_places(settings, database, connections=CONNECTIONS)
    store = places.store_of(tenant=batch.tenant, batch_id=batch.id)
    return Finisher(database, places).write(batch.id, folder, ResultsDestination.of(batch, store))


def place_in(out: Path, folder: Path, batch: BatchRecord, *, overwrite: bool) -> None:
    """Put them where they are wanted, in the place of earlier ones.

    Raises:
        ResultsTakenError: the user's own files have their names. Nothing was written.
    """
    store, metadata = FolderStore(out.absolute(), remembers=False), Owner(batch=str(batch.id)).metadata()
    taken = [name for name in CONTENT_TYPES if standing(store.occupant(name), metadata, None) not in REPLACEABLE]
    left = [name for name in taken if not (overwrite and store.adopt(name))]
    if left:
        raise ResultsTakenError(out, left)
    for name, content_type in CONTENT_TYPES.items():
        source = folder / name
        store.put(name, source, content_type=content_type, sha256=sha256_of(source), metadata=metadata)


def _print(file: Path) -> None:
    sys.stdout.flush()
    with file.open("rb") as lines:
        shutil.copyfileobj(lines, sys.stdout.buffer)
    sys.stdout.flush()


def _words(written: Written) -> str:
    left = written.standing.jobs - written.succeeded - written.errors
    words = f"{number(written.succeeded, 'result')}, {number(written.errors, 'error')}"
    return f"{words}, {left:,} still to come" if left else words
