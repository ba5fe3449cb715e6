"""`ttsq batch results`: a batch's result files, written locally from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import REPLACEABLE, Owner, standing
from worker.artifacts.partial import sha256_of
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.format import number, short
from worker.cli.console.terminal import Terminal
from worker.process.factories import open_destinations
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
    def __init__(self, batch: BatchRecord) -> None:
        state = "running" if batch.paused_at is None else "paused"
        super().__init__(
            f"{batch.name} is still {state}",
            f"`ttsq batch results {short(batch.id)} --partial` prints what is available",
        )


class ResultsTakenError(CliError):
    def __init__(self, out: Path, names: Sequence[str]) -> None:
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        super().__init__(
            f"{out / names[0]}{others} not created by this batch; nothing was overwritten",
            "choose another folder, or add --overwrite to replace them",
        )


def write(
    wanted: str, *, partial: bool, out: Path | None, errors: bool, overwrite: bool = False, as_json: bool = False
) -> None:
    """Print result lines, or write the result files to a folder. Raises NotFinishedError: the batch has not finished,
    and `partial` is false; ResultsTakenError: user files have these names.
    """
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
            finished = results.standing(connection, batch.id) is not None
        if not finished and not partial:
            raise NotFinishedError(batch)
        with temporary_folder() as folder:
            written = gather(database, batch, settings, folder)
            if out is None:
                with (folder / (ERRORS if errors else RESULTS)).open(encoding="utf-8", newline="") as lines:
                    terminal.documents(lines)
            else:
                place_in(out, folder, batch, overwrite=overwrite)
                terminal.done(
                    f"{_describe(written)}, in {out}",
                    batch=str(batch.id),
                    folder=str(out),
                    files=sorted(CONTENT_TYPES),
                    results=written.succeeded,
                    errors=written.errors,
                )


def gather(database: Database, batch: BatchRecord, settings: Settings, folder: Path) -> Written:
    places = open_destinations(settings, database, connections=CONNECTIONS)
    store = places.store_of(tenant=batch.tenant, batch_id=batch.id)
    return Finisher(database, places).write(batch.id, folder, ResultsDestination.of(batch, store))


def place_in(out: Path, folder: Path, batch: BatchRecord, *, overwrite: bool) -> None:
    """Move the files to `out`, replacing earlier ones of the batch. Raises ResultsTakenError: user files have these
    names. Nothing was written.
    """
    store, metadata = FolderStore(out.absolute(), remembers=False), Owner(batch=str(batch.id)).metadata()
    taken = [name for name in CONTENT_TYPES if standing(store.occupant(name), metadata, None) not in REPLACEABLE]
    blocked = [name for name in taken if not (overwrite and store.adopt(name))]
    if blocked:
        raise ResultsTakenError(out, blocked)
    for name, content_type in CONTENT_TYPES.items():
        source = folder / name
        store.put(name, source, content_type=content_type, sha256=sha256_of(source), metadata=metadata)


def _describe(written: Written) -> str:
    remaining = written.standing.jobs - written.succeeded - written.errors
    counts = f"{number(written.succeeded, 'result')}, {number(written.errors, 'error')}"
    return f"{counts}, {remaining:,} remaining" if remaining else counts
