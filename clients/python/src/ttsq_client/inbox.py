"""Submits jobs in the caller's own database transaction: a job exists exactly if that transaction commits.

It needs the database that ttsq's tables are in, and no gateway. On PostgreSQL it calls `ttsq_submit`, elsewhere it
inserts a row into `inbox`. It never commits.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Protocol, Unpack, cast, runtime_checkable
from uuid import UUID

from ttsq_client.encoding import encoded
from ttsq_client.models import JobFields

CALL: Final = "SELECT ttsq_submit({0}::jsonb)"
INSERT: Final = "INSERT INTO inbox (id, request) VALUES ({0}, {1})"
MAX_CHARACTERS: Final = 65_536
"""Of one request as JSON; the database refuses longer ones."""
_POSTGRESQL: Final = frozenset({"psycopg", "psycopg2", "pg8000", "psycopg2cffi"})
_PLACEHOLDERS: Final = {"qmark": ("?", "?"), "format": ("%s", "%s"), "pyformat": ("%s", "%s"), "numeric": (":1", ":2")}


@runtime_checkable
class Cursor(Protocol):
    """Of PEP 249."""

    def execute(self, operation: str, parameters: Sequence[Any], /) -> object: ...

    def fetchone(self) -> Any: ...  # noqa: ANN401 - as drivers have it


@runtime_checkable
class Connection(Protocol):
    """Of PEP 249, or `django.db.connection`."""

    def cursor(self) -> Any: ...  # noqa: ANN401 - as drivers have it


class Inbox:
    """Submits over one connection or cursor, in whatever transaction it has open."""

    def __init__(self, connection: Connection | Cursor, *, postgresql: bool | None = None) -> None:
        """`connection` is a connection or cursor of PEP 249, or Django's `connection`.

        The kind of the database is read off the driver; `postgresql` overrides that for other drivers.

        Raises:
            TypeError: it is neither, or of a driver whose placeholders are not known.
        """
        self._connection = connection
        vendor = _vendor(connection)
        root = type(connection).__module__.partition(".")[0]
        self._postgresql = postgresql if postgresql is not None else vendor == "postgresql" or root in _POSTGRESQL
        self._placeholders = ("%s", "%s") if vendor is not None else _placeholders(root)

    def submit(
        self,
        text: str,
        *,
        idempotency_key: str | None = None,
        tenant: str | None = None,
        batch: str | None = None,
        max_cost: Decimal | str | None = None,
        **fields: Unpack[JobFields],
    ) -> UUID:
        """Submit one text and return its id, which is the job's id once the transaction has committed.

        With an idempotency key that was used before, the earlier job stays the only one. `max_cost` limits the named
        batch. What ttsq refuses later (an unknown voice) is an event, and stands in the row.

        Raises:
            ValueError: longer than the database accepts, or a value that JSON cannot hold.
        """
        envelope = {"idempotency_key": idempotency_key, "tenant": tenant, "batch": batch, "max_cost": max_cost}
        given = {name: value for name, value in envelope.items() if value is not None}
        request = json.dumps(encoded({"text": text, **fields, **given}), ensure_ascii=False)
        if len(request) > MAX_CHARACTERS:
            raise ValueError(f"the request has {len(request):,} characters of JSON; {MAX_CHARACTERS:,} is the limit")
        return self._write(request)

    def _write(self, request: str) -> UUID:
        if isinstance(self._connection, Connection):
            cursor = cast("Cursor", self._connection.cursor())
            try:
                return self._executed(cursor, request)
            finally:
                cast("Any", cursor).close()
        return self._executed(self._connection, request)

    def _executed(self, cursor: Cursor, request: str) -> UUID:
        if self._postgresql:
            cursor.execute(CALL.format(*self._placeholders), (request,))
            return UUID(str(cursor.fetchone()[0]))
        made = new_id()
        cursor.execute(INSERT.format(*self._placeholders), (made.hex, request))
        return made


def new_id() -> UUID:
    """Return a UUID of version 7: ids grow with time, and so do pages of jobs."""
    content = (time.time_ns() // 1_000_000).to_bytes(6, "big") + secrets.token_bytes(10)
    return UUID(
        bytes=content[:6] + bytes([0x70 | content[6] & 0x0F, content[7], 0x80 | content[8] & 0x3F]) + content[9:]
    )


def _vendor(connection: object) -> str | None:
    """Return the kind of a Django connection's database, or of that of its cursor; None for others."""
    for one in (connection, getattr(connection, "db", None)):
        if type(one).__module__.startswith("django.") and isinstance(vendor := getattr(one, "vendor", None), str):
            return vendor
    return None


def _placeholders(root: str) -> tuple[str, str]:
    style = getattr(sys.modules.get(root), "paramstyle", None)
    if style not in _PLACEHOLDERS:
        raise TypeError("the inbox takes a connection or cursor of PEP 249, or Django's `connection`")
    return _PLACEHOLDERS[style]
