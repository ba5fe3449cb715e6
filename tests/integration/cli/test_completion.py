"""Shell completion: names of the queue and of the registry, and nothing where it can't look."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from api_models.verdict import GateScope
from tests.factories import add_batch, add_job
from tests.servers import forked
from tests.terminal import Ttsq
from worker.store import account
from worker.store.database import Database

PROBE = "from worker.cli.main import main; main()"


def completed(*typed: str) -> list[str]:
    """What bash is offered after these words, the last of which is incomplete."""
    words = " ".join(("ttsq", *typed))
    found = forked.run(
        [sys.executable, "-c", PROBE],
        env={
            **os.environ,
            "_TTSQ_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(typed)),
        },
        timeout=60,
    )
    assert found.stderr == ""
    return found.stdout.split()


def test_names_of_the_queue_are_offered(queue: Database, ttsq: Ttsq, tmp_path: Path) -> None:
    """Batches by name and by id, gates, schedules."""
    (tmp_path / "night.csv").write_text("text\nGood night.\n", encoding="utf-8")
    with queue.begin() as connection:
        batch = add_batch(connection, name="welcome.csv", total=1)
        add_job(connection, batch_id=batch)
        account.hold_gate(connection, GateScope.MODEL, "old-model", message="x", now=queue.now(connection))
    assert ttsq("schedule", "add", "nightly", "night.csv", "--cron", "0 2 * * *").code == 0
    assert completed("batch", "show", "wel") == ["welcome.csv"]
    assert completed("status", str(batch)[:4]) == [str(batch)[:13]]
    assert completed("jobs", "list", "--batch", "wel") == ["welcome.csv"]
    assert completed("gates", "open", "model:") == ["model:old-model"]
    assert "account" in completed("gates", "close", "a")
    assert completed("schedule", "runs", "n") == ["nightly"]


@pytest.mark.usefixtures("ttsq")
def test_names_of_the_registry_need_no_queue(tmp_path: Path) -> None:
    """Without a queue nothing is made, and nothing is printed."""
    assert completed("run", "a.csv", "--voice", "Ko") == ["Kore"]
    assert completed("quote", "a.csv", "--model", "gemini-3") == ["gemini-3.1-flash-tts"]
    assert completed("schedule", "add", "n", "a.csv", "--format", "m") == ["mp3"]
    assert completed("batch", "show", "w") == []
    assert list(tmp_path.iterdir()) == []
