"""Producers that insert requests into the inbox, as programs in any language do, and the leader's task."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Row, select, text

from tests.factories import ORIGIN
from worker import settings
from worker.maintenance.inbox import Inbox
from worker.settings import Settings
from worker.store import inbox_roles
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.outbox.events import Event
from worker.store.queries import jobs as job_queries
from worker.store.queries.jobs import JobRecord
from worker.store.tables.inbox import InboxRow

REFUSED: Final = "submission.refused"


def configured(database: Database, **more: Any) -> Settings:  # noqa: ANN401 - any setting
    """The settings of a worker of this database."""
    url = database.url.render_as_string(hide_password=False)
    return settings.load(SEGMIND_API_KEY="k", SEGMIND_BASE_URL=ORIGIN, TTSQ_DATABASE_URL=url, **more)


def insert(connection: Connection, request: Any) -> None:  # noqa: ANN401 - text, bytes or JSON
    """One row, in the caller's transaction: by the function on PostgreSQL, by a plain INSERT on SQLite."""
    content = request if isinstance(request, str | bytes) else json.dumps(request)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT ttsq_submit(CAST(:request AS jsonb))"), {"request": content})
    else:
        connection.execute(text("INSERT INTO inbox (request) VALUES (:request)"), {"request": content})


@dataclass(slots=True)
class Office:
    """An inbox of one database."""

    database: Database
    options: dict[str, Any] = field(default_factory=dict)
    reader: Inbox = field(init=False)
    woken: list[None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = self.another()

    def another(self) -> Inbox:
        """The task as another process has it."""
        return Inbox(self.database, configured(self.database, **self.options), lambda: self.woken.append(None))

    def put(self, *requests: Any) -> None:  # noqa: ANN401 - as `insert`
        """Rows in one transaction."""
        with self.database.begin() as connection:
            for request in requests:
                insert(connection, request)

    def put_raw(self, **columns: Any) -> None:  # noqa: ANN401 - any value
        """One row by a plain INSERT of these columns."""
        names = ", ".join(columns)
        values = ", ".join(f":{name}" for name in columns)
        with self.database.begin() as connection:
            connection.execute(text(f"INSERT INTO inbox ({names}) VALUES ({values})"), columns)  # noqa: S608 - names of the test's own

    def work(self) -> int:
        """Read until nothing waits; returns how many pages that took."""
        pages = 1
        while self.reader.run_once():
            pages += 1
        return pages

    def jobs(self) -> list[JobRecord]:
        """Every job, the oldest first."""
        with self.database.read() as connection:
            return job_queries.jobs(connection, job_queries.all_jobs())

    def rows(self) -> list[Row[Any]]:
        """What became of each row."""
        with self.database.read() as connection:
            columns = (InboxRow.number, InboxRow.job_id, InboxRow.faults, InboxRow.handled_at)
            return list(connection.execute(select(*columns).order_by(InboxRow.number)))

    def faults(self) -> list[str]:
        """The reasons of every refused row."""
        return ["; ".join(json.loads(row.faults)) for row in self.rows() if row.faults]

    def refusals(self) -> list[Event]:
        """The events of refusals."""
        with self.database.read() as connection:
            return events.after(connection, 0, most=100_000, types=[REFUSED])


@dataclass(frozen=True, slots=True)
class ProducerRole:
    """A role of PostgreSQL that has been granted nothing but to submit."""

    name: str
    dsn: str
    """Its address, as psycopg and other drivers take it."""
    password: str

    def connect(self) -> psycopg.Connection[Any]:
        """A session of it."""
        return psycopg.connect(self.dsn)

    def submit(self, request: Any) -> UUID:  # noqa: ANN401 - any JSON
        """One request in a transaction of its own."""
        with self.connect() as connection:
            found = connection.execute("SELECT ttsq_submit(%s::jsonb)", [json.dumps(request)]).fetchone()
        assert found is not None
        return UUID(str(found[0]))


@contextmanager
def role(database: Database, *tenants: str, within: str | None = None) -> Iterator[ProducerRole]:
    """A role that may submit for these tenants, for the length of the block; by its group's rights if it is in one."""
    name, password = f"shop_{uuid4().hex[:8]}", secrets.token_hex(8)
    admin_address = database.url.render_as_string(hide_password=False).replace("+psycopg", "", 1)
    with closing(psycopg.connect(admin_address, autocommit=True)) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
        if within is not None:
            admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(within), sql.Identifier(name)))
        if tenants:
            with database.begin() as connection:
                inbox_roles.grant(connection, name, tenants)
                for statement in inbox_roles.statements(connection, name)[0]:
                    connection.execute(text(statement))
        url = database.url.set(drivername="postgresql", username=name, password=password)
        try:
            yield ProducerRole(name, url.render_as_string(hide_password=False), password)
        finally:
            with database.begin() as connection:
                inbox_roles.revoke(connection, name, [])
            admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
