"""Writes the rows of a producer's database as JSON lines. Read-only; errors never contain the database's address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from worker.telemetry.redaction import REDACTED

ROWS_PER_FETCH: Final = 1_000
MESSAGE_CHARACTERS: Final = 300


class QueryError(Exception):
    """The rows cannot be read. `passing`: a retry may succeed."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        """`message` must not contain any part of the database's address."""
        super().__init__(message)
        self.passing = passing


def write(address: str, sql: str, into: Path) -> int:
    """Write each row of the query as a line of JSON with its column names. Returns how many.

    Raises:
        QueryError: the database cannot be reached, or refuses the query.
        OSError: the file cannot be written.
    """
    url = _url(address)
    try:
        engine = create_engine(url, poolclass=NullPool)
    except ImportError:
        raise QueryError(f"the driver for {url.get_backend_name()} is not installed on the worker") from None
    except NoSuchModuleError:
        raise QueryError(f"{url.get_backend_name()} is not a database that SQLAlchemy supports") from None
    options = {"postgresql_readonly": True} if url.get_backend_name() == "postgresql" else {}
    count = 0
    try:
        with engine.connect().execution_options(stream_results=True, **options) as connection, into.open("w") as lines:
            for row in connection.exec_driver_sql(sql).yield_per(ROWS_PER_FETCH).mappings():
                lines.write(json.dumps(_plain(row)) + "\n")
                count += 1
    except SQLAlchemyError as error:
        raise QueryError(_describe(error, url), passing=_is_passing(error)) from None
    finally:
        engine.dispose()
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
    lost = error.connection_invalidated or state.startswith(("08", "40", "53", "57"))
    return lost or (not state and "psycopg" in type(error.orig).__module__)
