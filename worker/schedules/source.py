"""Where a schedule's lines come from, brought to a file of this machine: a path, an object in a bucket, or a query."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from worker.artifacts.errors import ArtifactsError
from worker.artifacts.factory import open_store
from worker.schedules import query
from worker.schedules.options import Options
from worker.schedules.query import QueryError

BUCKET: Final = "s3://"
ROWS: Final = "rows.jsonl"

Variable = Callable[[str], str | None]
"""What an environment variable holds."""


class SourceError(Exception):
    """The source can't be read."""

    def __init__(self, message: str, *, passing: bool) -> None:
        """`passing`: it may be readable a while later."""
        super().__init__(message)
        self.passing = passing


def fetch(source: str, options: Options, folder: Path, variable: Variable) -> Path | None:
    """The file with the lines, in `folder` unless it is one of this machine. None where a query gave no row.

    Raises:
        SourceError: there is no such thing, or it can't be reached.
        OSError: this machine's disk can't take it.
    """
    if options.database_env is not None:
        return _rows(source, options.database_env, folder, variable)
    return _object(source, folder) if source.startswith(BUCKET) else Path(source)


def _rows(sql: str, name: str, folder: Path, variable: Variable) -> Path | None:
    address = variable(name)
    if not address:
        raise SourceError(f"the environment variable {name} is not set where this worker runs", passing=False)
    try:
        return folder / ROWS if query.write(address, sql, folder / ROWS) else None
    except QueryError as error:
        raise SourceError(f"the database of {name}: {error}", passing=error.passing) from None


def _object(address: str, folder: Path) -> Path:
    place, _, key = address.rpartition("/")
    into = folder / key
    try:
        with closing(open_store(place, connections=1)) as store:
            found = store.fetch(key, into)
    except ArtifactsError as error:
        raise SourceError(f"{address}: {error.message}", passing=True) from None
    if found is None:
        raise SourceError(f"{address}: there is no such object", passing=False)
    return into
