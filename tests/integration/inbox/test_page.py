"""The programs of docs/inbox.md, run as they stand with the drivers that they name: committed and rolled back."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import psycopg
import pytest

from tests.inbox_harness import Office, ProducerRole, role
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from worker.cli.main import main
from worker.store.database import Database

PAGE: Final = (Path(__file__).parents[3] / "docs" / "inbox.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
DJANGO: Final = """
import os, sys
import django
from django.conf import settings
from urllib.parse import urlsplit
at = urlsplit(os.environ["SHOP"])
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": at.path[1:], "USER": at.username, "PASSWORD": at.password,
    "HOST": at.hostname, "PORT": at.port}})
django.setup()
from django.db import models

class Order(models.Model):
    number = models.IntegerField(primary_key=True)
    class Meta:
        app_label, db_table = "shop", "orders"

%s

print(store(Order.objects, int(sys.argv[1])))
"""


def block(language: str, holding: str) -> str:
    """The one program of the page with these words in it."""
    (found,) = (code for kind, code in BLOCKS if kind == language and holding in code)
    return str(found)


def defined(holding: str) -> dict[str, Any]:
    """What a Python block defines."""
    names: dict[str, Any] = {}
    exec(compile(block("python", holding), "docs/inbox.md", "exec"), names)  # noqa: S102 - a page of ours
    return names


@pytest.fixture
def office(on_postgresql: Database) -> Iterator[Office]:
    """An inbox beside a table of orders."""
    with psycopg.connect(dsn(on_postgresql)) as admin:
        admin.execute("CREATE TABLE orders (number integer PRIMARY KEY, job uuid)")
    yield Office(on_postgresql)
    with psycopg.connect(dsn(on_postgresql)) as admin:
        admin.execute("DROP TABLE orders")


@pytest.fixture
def shop(office: Office) -> Iterator[ProducerRole]:
    """A producer's role with a table of its own."""
    with role(office.database, "shop") as made:
        with psycopg.connect(dsn(office.database)) as admin:
            admin.execute(f"GRANT ALL ON orders TO {made.name}")
        yield made


def dsn(database: Database) -> str:
    """As psycopg takes it."""
    return database.url.render_as_string(hide_password=False).replace("+psycopg", "", 1)


def assert_one_order_is_announced(office: Office, job: str | UUID, order: int = 17) -> None:
    """The committed one is a job of the tenant; what was rolled back left nothing."""
    office.work()
    assert [(job.id, job.tenant) for job in office.jobs()] == [(UUID(str(job)), "shop")]
    with psycopg.connect(dsn(office.database)) as admin:
        assert admin.execute("SELECT number FROM orders").fetchall() == [(order,)]
    assert office.faults() == []


def test_psycopg(office: Office, shop: ProducerRole) -> None:
    """The same order again breaks its key, and with it the request."""
    store = defined("import psycopg")["store"]
    job = store(shop.dsn, 17)
    with pytest.raises(psycopg.errors.UniqueViolation):
        store(shop.dsn, 17)
    with psycopg.connect(shop.dsn) as connection:
        connection.execute("""SELECT ttsq_submit('{"text": "Called off."}')""")
        connection.rollback()
    assert_one_order_is_announced(office, job)


def test_asyncpg(office: Office, shop: ProducerRole) -> None:
    """Likewise, with an exception in the transaction."""
    store = defined("import asyncpg")["store"]

    async def produce() -> str:
        connection = await asyncpg.connect(shop.dsn)
        try:
            job = await store(connection, 17)
            with pytest.raises(asyncpg.UniqueViolationError):
                await store(connection, 17)
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("""SELECT ttsq_submit('{"text": "Called off."}')""")
            await transaction.rollback()
        finally:
            await connection.close()
        return str(job)

    assert_one_order_is_announced(office, asyncio.run(produce()))


def test_django(office: Office, shop: ProducerRole) -> None:
    """In `transaction.atomic()`; the second order of one number is rolled back whole."""
    program = DJANGO % block("python", "from django.db")
    command = [sys.executable, "-W", "ignore", "-c", program, "17"]
    environment = os.environ | {"SHOP": shop.dsn}
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert "IntegrityError" in second.stderr
    assert_one_order_is_announced(office, first.stdout.strip())


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_behind_a_pooler(postgres: Postgres, office: Office, shop: ProducerRole, mode: str) -> None:
    """PgBouncer lends a session for each transaction; the role is the one that logged in."""
    store = defined("import psycopg")["store"]
    with PgBouncer(postgres, mode, users={shop.name: shop.password}) as pooler:
        address = shop.dsn.replace(f":{postgres.port}/", f":{pooler.port}/")
        job = store(address, 17)
        with psycopg.connect(address) as connection:
            connection.execute("""SELECT ttsq_submit('{"text": "Called off."}')""")
            connection.rollback()
    assert_one_order_is_announced(office, job)


def test_plain_sql(office: Office, shop: ProducerRole) -> None:
    """The first block of the page, statement by statement."""
    with psycopg.connect(shop.dsn, autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO orders (number) VALUES (18)")
        connection.execute("""SELECT ttsq_submit('{"text": "Called off."}')""")
        connection.execute("ROLLBACK")
        found = []
        for statement in block("sql", "COMMIT;").split(";\n"):
            if statement.strip():
                cursor = connection.execute(statement)
                found += cursor.fetchall() if cursor.description else []
    assert_one_order_is_announced(office, found[0][0])


def test_a_trigger(office: Office, shop: ProducerRole) -> None:
    """A program that only inserts orders: each committed one is announced."""
    with psycopg.connect(dsn(office.database)) as admin:
        admin.execute(block("sql", "CREATE TRIGGER"))
    with psycopg.connect(shop.dsn) as connection:
        connection.execute("INSERT INTO orders (number) VALUES (17)")
        connection.commit()
        connection.execute("INSERT INTO orders (number) VALUES (18)")
        connection.rollback()
    office.work()
    assert_one_order_is_announced(office, office.jobs()[0].id)


def test_many_at_once(office: Office, shop: ProducerRole) -> None:
    """By one UPDATE, with the ids kept beside the orders; and a JSON array that PostgreSQL divides."""
    with psycopg.connect(shop.dsn) as connection:
        connection.execute("INSERT INTO orders (number) SELECT generate_series(1, 1000)")
        connection.execute(block("sql", "UPDATE orders"))
        kept = {row[0] for row in connection.execute("SELECT job FROM orders").fetchall()}
        (query,) = re.findall(r"`(SELECT ttsq_submit\(one\).*?)`", PAGE)
        array = '[{"text": "One."}, {"text": "Two."}]'
        rows = connection.execute(query.replace("$1", "%s::jsonb"), [array]).fetchall()
    office.work()
    jobs = office.jobs()
    assert {job.id for job in jobs} == kept | {row[0] for row in rows}
    assert len({job.batch_id for job in jobs if job.custom_id}) == 1
    assert [job.custom_id for job in jobs if job.custom_id] == [f"order-{number}" for number in range(1, 1001)]


def test_sqlite(on_sqlite: Database) -> None:
    """A plain INSERT in the transaction of the order; rolled back with it."""
    office = Office(on_sqlite)
    office.database.engine.dispose()
    store = defined("import sqlite3")["store"]
    path = str(on_sqlite.url.database)
    with on_sqlite.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (number integer PRIMARY KEY)")
    job = store(path, 17)
    with pytest.raises(Exception, match="UNIQUE"):
        store(path, 17)
    office.work()
    assert [job.id for job in office.jobs()] == [UUID(job)]


def test_every_command_that_is_named_exists() -> None:
    """A name copied from the page must be valid."""
    for command in set(re.findall(r"`?ttsq (inbox [a-z]+)", PAGE)):
        with pytest.raises(SystemExit) as ended:
            main([*command.split(), "--help"])
        assert not ended.value.code, command
