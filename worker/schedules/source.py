"""Fetches a schedule's lines into a local file: from a path, an object in a bucket, or a query."""

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


class SourceError(Exception):
    def __init__(self, message: str, *, passing: bool) -> None:
        """`passing`: a retry may succeed."""
        super().__init__(message)
        self.passing = passing


def fetch(source: str, options: Options, folder: Path, variable: Variable) -> Path | None:
    """Return the file with the lines: a local path, or a copy in `folder`. Returns None if a query has no rows. Raises
    SourceError: the source does not exist, or cannot be reached; OSError: the local disk cannot store it.
    """
    if options.database_env is not None:
        return _rows(source, options.database_env, folder, variable)
    return _object(source, folder) if source.startswith(BUCKET) else Path(source)


def _rows(sql: str, name: str, folder: Path, variable: Variable) -> Path | None:
    address = variable(name)
    if not address:
        raise SourceError(f"the environment variable {name} is not set in this worker's environment", passing=False)
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
        raise SourceError(f"{address}: no such object", passing=False)
    return into
