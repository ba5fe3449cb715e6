"""What every PostgreSQL session is set to. Set after connecting: poolers refuse it in the startup packet.

A pooler in transaction mode lends another session to each transaction. It is recognised by the process number of the
session, which then isn't that of the connection; settings are made for each transaction, and nothing is prepared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL

from worker.environment.addresses import session_settings

AUTOCOMMIT: Final = "AUTOCOMMIT"


@dataclass(slots=True)
class Sessions:
    settings: Mapping[str, str]
    is_pooled: bool | None = None
    """Whether a pooler stands between; None before the first connection."""

    def prepare(self, engine: Engine) -> None:
        """Set every connection that the engine makes, before SQLAlchemy asks it for its schema."""

        def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg's connection
            if self._connected(connection) and not event.contains(engine, "begin", self._begun):
                event.listen(engine, "begin", self._begun)

        event.listen(engine, "connect", connected, insert=True)

    def _connected(self, connection: Any) -> bool:  # noqa: ANN401 - psycopg's connection
        """Whether it leads to a pooler. Only then are transactions listened to: with any such listener, SQLAlchemy
        looks for listeners several times a statement.
        """
        connection.autocommit = True
        (process,) = connection.execute("SELECT pg_backend_pid()").fetchone()
        is_pooled: bool = process != connection.info.backend_pid
        self.is_pooled = is_pooled
        if is_pooled:
            connection.prepare_threshold = None
        else:
            self._set(connection, local=False)
        connection.autocommit = False
        return is_pooled

    def _begun(self, connection: Connection) -> None:
        if self.is_pooled and connection.get_execution_options().get("isolation_level") != AUTOCOMMIT:
            self._set(connection.connection.dbapi_connection, local=True)

    def _set(self, connection: Any, *, local: bool) -> None:  # noqa: ANN401 - psycopg's connection
        values = ", ".join(f"set_config(%s, %s, {str(local).lower()})" for _ in self.settings)
        given = [word for setting in self.settings.items() for word in setting]
        connection.execute(f"SELECT {values}", given)


def without_options(url: URL) -> tuple[URL, dict[str, str]]:
    """Return the address without `options`, and the settings that these held, by name. Raises ValueError: `options`
    holds something other than settings.
    """
    options = url.query.get("options", ())
    given = options if isinstance(options, str) else " ".join(options)
    return url.difference_update_query(["options"]), session_settings(given)
