"""node-postgres and the inbox: the program of docs/inbox.md, committed and rolled back."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
import pytest

from tests.clients import environment
from tests.inbox_harness import Office, role
from worker.store.database import Database

PAGE: Final = Path(__file__).parents[3] / "docs" / "inbox.md"
PROGRAM: Final = """
import pg from "pg";
%s
const client = new pg.Client({ connectionString: process.env.SHOP });
await client.connect();
console.log(await store(client, 17));
try {
  await store(client, 17);
} catch (error) {
  console.error(error.code);
}
await client.end();
"""
pytestmark = [
    pytest.mark.skipif(not environment.has_node(), reason="`make clients` installs the clients"),
    pytest.mark.timeout(120),
]


def test_node_postgres(on_postgresql: Database) -> None:
    """The second order of one number breaks its key: it and its request are rolled back."""
    (block,) = re.findall(r"^```js\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    office = Office(on_postgresql)
    address = on_postgresql.url.render_as_string(hide_password=False).replace("+psycopg", "", 1)
    with psycopg.connect(address) as admin:
        admin.execute("CREATE TABLE orders (number integer PRIMARY KEY)")
    with role(on_postgresql, "shop") as shop:
        with psycopg.connect(address) as admin:
            admin.execute(f"GRANT ALL ON orders TO {shop.name}")
        done = subprocess.run(
            ["node", "--input-type=module", "-e", PROGRAM % block.replace("export ", "")],
            cwd=environment.NODE_CLIENT.parent,
            env={"PATH": os.environ["PATH"], "SHOP": shop.dsn},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "23505", "a duplicate key"
    office.work()
    assert [(job.id, job.tenant) for job in office.jobs()] == [(UUID(done.stdout.strip()), "shop")]
    with psycopg.connect(address) as admin:
        assert admin.execute("SELECT number FROM orders").fetchall() == [(17,)]
