"""The code of the client's README that needs no gateway, run as it stands; the rest is run where it is installed."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from ttsq_client import WebhookMessage
from worker.webhooks import signatures

README: Final = (Path(__file__).parents[3] / "clients" / "python" / "README.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(block: str, **names: object) -> dict[str, Any]:
    """The names after a block."""
    space: dict[str, Any] = dict(names)
    exec(compile(block, "README.md", "exec"), space)  # noqa: S102 - our own page
    return space


def test_the_inbox() -> None:
    """Over a cursor of Python's own SQLite driver, in a transaction that is not committed."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE inbox (number INTEGER PRIMARY KEY, id CHAR(32), request TEXT)")
        found = run(BLOCKS[1], cursor=database.cursor())
        assert database.in_transaction
        ((job_id, request),) = database.execute("SELECT id, request FROM inbox").fetchall()
    assert UUID(job_id) == found["job_id"]
    assert found["job_id"].version == 7
    assert json.loads(request) == {"text": "Your order 17 is on its way.", "idempotency_key": "order-17"}


def test_the_webhook() -> None:
    """With two secrets, of which the message is signed with the older one."""
    fresh, old = signatures.new_secret(), signatures.new_secret()
    block = BLOCKS[2].replace("whsec_new…", fresh).replace("whsec_old…", old)
    body = b'{"type": "job.failed", "data": {"id": "1"}}'
    headers = signatures.headers([old], "evt_1", datetime.now(UTC), body)
    message = run(block, request=SimpleNamespace(body=body, headers=headers))["message"]
    assert isinstance(message, WebhookMessage)
    assert message.type == "job.failed"


def test_no_block_is_left_out() -> None:
    """The first one needs a gateway."""
    assert len(BLOCKS) == 3
