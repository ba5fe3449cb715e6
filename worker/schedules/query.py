"""Writes the rows of a producer's database as JSON lines. Read-only; errors never contain the database's address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any, Final, TextIO

from sqlalchemy import CursorResult
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from worker.schedules import read_only
from worker.telemetry.redaction import REDACTED

ROWS_PER_FETCH: Final = 100
"""Few, because a row may be large."""
MESSAGE_CHARACTERS: Final = 300
TIMED_OUT: Final = "57014"
"""PostgreSQL's SQLSTATE of a statement that took too long."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    seconds: float = 300.0
    rows: int = 1_000_000
    megabytes: float = 1_024.0
    """Mebibytes of the written lines, which lie on the worker's disk."""


class QueryError(Exception):
    """The rows cannot be read. `passing`: a retry may succeed."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """`message` must not contain any part of the database's address."""
        super().__init__(message)
        self.passing = passing


def write(address: str, sql: str, into: Path, limits: QueryLimits = QueryLimits()) -> int:
    """Write each row of the query as a line of JSON with its column names. Returns how many. Raises QueryError: the
    database cannot be reached, refuses the query, or returns too much of it; OSError: the file cannot be written.
    """
    url = _url(address)
    try:
        with (
            read_only.connected(url, limits.seconds) as connection,
            into.open("w") as lines,
            closing(read_only.execute(connection, sql)) as result,
        ):
            return _copy(result, lines, limits)
    except ImportError:
        raise QueryError(f"the driver for {url.get_backend_name()} is not installed on the worker") from None
    except NoSuchModuleError:
        raise QueryError(f"{url.get_backend_name()} is not a database that SQLAlchemy supports") from None
    except SQLAlchemyError as error:
        raise QueryError(_describe(error, url), passing=_is_passing(error)) from None


def _copy(result: CursorResult[Any], lines: TextIO, limits: QueryLimits) -> int:
    """Write the rows, within the limits on time, rows and bytes. Returns how many."""
    if not result.returns_rows:
        raise QueryError("the statement returns no rows; write a SELECT")
    ends_at, count, written = monotonic() + limits.seconds, 0, 0
    for row in result.yield_per(ROWS_PER_FETCH).mappings():
        count += 1
        written += lines.write(json.dumps(_plain(row)) + "\n")
        if count > limits.rows:
            raise QueryError(f"the query returns more than {limits.rows:,} rows; select fewer")
        if written > limits.megabytes * 2**20:
            raise QueryError(f"the query returns more than {limits.megabytes:g} MiB; select fewer rows or columns")
        if monotonic() > ends_at:
            raise QueryError(f"the query took longer than {limits.seconds:g} s; select fewer rows")
    return count


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise QueryError(
            "the variable is not a database URL such as postgresql+psycopg://user:password@host/name"
        ) from None
    plain_postgres = url.drivername in {"postgres", "postgresql"}
    return url.set(drivername="postgresql+psycopg") if plain_postgres else url


def _plain(row: Mapping[Any, object]) -> dict[str, object]:
    return {str(name): _value(str(name), value) for name, value in row.items() if value is not None}


def _value(name: str, value: object) -> object:
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return float(value)
        case int() if name == "custom_id":
            return str(value)
        case str() | bool() | int() | float() | list():
            return value
        case _:
            return str(value)


def _describe(error: SQLAlchemyError, url: URL) -> str:
    message = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    for secret in (url.password, url.render_as_string(hide_password=False)):
        message = message.replace(str(secret), REDACTED) if secret else message
    return " ".join(message.split())[:MESSAGE_CHARACTERS]


def _is_passing(error: SQLAlchemyError) -> bool:
    """Whether the connection failed or was lost. An invalid query stays invalid."""
    if not isinstance(error, DBAPIError):
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state == TIMED_OUT:
        return False
    lost = error.connection_invalidated or state.startswith(("08", "40", "53", "57"))
    return lost or (not state and "psycopg" in type(error.orig).__module__)
