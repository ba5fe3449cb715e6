"""Whatever stands in the rows, no command lets it command the terminal: names, texts, messages, addresses, answers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from tests.factories import a_gate, add_attempt, add_batch, add_gate, add_job, add_worker
from tests.terminal import Ttsq, queue, ttsq
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.tables.base import Base
from worker.store.tables.workers import Worker

__all__ = ["queue", "ttsq"]

HOSTILE: Final = "\x1b]0;x\x07\x9b31m\u202egpj\u2066\x85\x7f\u2028"
COMMANDS: Final = (
    ("status",),
    ("status", "{batch}"),
    ("batch", "list"),
    ("batch", "show", "{batch}"),
    ("batch", "results", "{batch}", "--partial"),
    ("batch", "results", "{batch}", "--partial", "--errors"),
    ("batch", "download", "{batch}"),
    ("batch", "cancel", "{batch}"),
    ("jobs", "list"),
    ("jobs", "show", "{job}"),
    ("gates",),
    ("events",),
    ("spend", "--by", "batch"),
    ("spend", "--by", "tenant"),
    ("spend", "--by", "model"),
    ("budget",),
    ("schedule", "list"),
    ("keys", "list"),
    ("hooks", "list"),
    ("webhooks", "list"),
    ("webhooks", "log"),
    ("webhooks", "show", HOSTILE),
    ("tenants", "place", HOSTILE),
    ("batch", "show", HOSTILE),
    ("jobs", "show", HOSTILE),
    ("gates", "open", HOSTILE),
    ("gates", "close", "account", "--reason", HOSTILE),
    ("hooks", "remove", HOSTILE),
    ("keys", "revoke", HOSTILE),
    ("schedule", "remove", HOSTILE),
    ("run", HOSTILE),
    ("quote", f"{HOSTILE}.csv"),
    ("batch", "priority", HOSTILE, HOSTILE),
    ("spend", "--by", HOSTILE),
    ("doctor",),
)


@pytest.fixture
def rows(queue: Database) -> dict[str, str]:
    """One row of each kind; then every text that no rule of the schema constrains becomes hostile."""
    with queue.begin() as connection:
        batch = add_batch(connection, total=2)
        job = add_job(connection, batch_id=batch, custom_id=HOSTILE, status=JobStatus.FAILED, message="m", detail="d")
        add_job(connection, batch_id=batch, custom_id="b")
        add_attempt(connection, job_id=job, batch_id=batch, message="m", detail="d")
        add_gate(connection, a_gate())
        add_worker(connection)
        events.record(
            connection, "gate.closed", HOSTILE, {"message": HOSTILE, HOSTILE: HOSTILE}, now=queue.now(connection)
        )
    poison(queue)
    return {"batch": str(batch), "job": str(job)}


FREE: Final = {
    "jobs": ("text", "message", "detail", "voice_1", "voice_2"),
    "attempts": ("message", "detail", "code", "request_id"),
    "batches": ("name",),
    "gates": ("message",),
    "workers": ("host", Worker.trouble.key),
}


def poison(database: Database) -> None:
    """Write the hostile text over what people and other programs write."""
    with database.begin() as connection:
        for table, columns in FREE.items():
            found = Base.metadata.tables.get(table)
            if found is None:
                continue
            present = {name: HOSTILE for name in columns if name in found.c}
            if present:
                connection.execute(update(found).values(present))


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_prints_what_a_terminal_obeys(as_json: bool, rows: dict[str, str], ttsq: Ttsq) -> None:
    """Every command that shows rows, and every error that quotes an argument."""
    seen = ""
    for command in COMMANDS:
        words = [word.format_map(rows) if word.startswith("{") else word for word in command]
        shown = ttsq(*words, *(["--json"] if as_json else []))
        unsafe = {character for character in shown.out + shown.err if not character.isprintable()} - {"\n"}
        assert unsafe == set(), (words, shown.out, shown.err)
        seen += shown.out + shown.err
    assert r"\u202egpj" in seen
    assert not any(HOSTILE in path.name for path in Path.cwd().rglob("*"))
