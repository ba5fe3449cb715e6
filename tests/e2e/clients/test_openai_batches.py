"""OpenAI's SDK and its batches: the documented steps, a batch cancelled half-way, and a worker killed in between.

`BATCH_LINES` is how many lines the first one has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import openai
import pytest
from openai.types import Batch
from sqlalchemy import func, select

from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from tests.gateway import running
from tests.speaking import speaking
from worker.emulator.config import EmulatorConfig
from worker.store.database import Database
from worker.store.tables.jobs import Job

LINES: Final = int(os.environ.get("BATCH_LINES", "200"))
ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
QUICK: Final[dict[str, Any]] = {"TTSQ_TAKE_CHECKS": "off"}


@contextmanager
def sdk(base_url: str, key: str = "none") -> Iterator[openai.OpenAI]:
    """The SDK as its users have it."""
    with closing(openai.OpenAI(base_url=base_url, api_key=key)) as client:
        yield client


def requests_file(folder: Path, count: int) -> Path:
    """A file of requests, as OpenAI's guide to batches makes one."""
    path = folder / "batch.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            body = {
                "model": "tts-1",
                "voice": "alloy",
                "input": f"Platform {number} is closed.",
                "response_format": "wav",
            }
            request = {"custom_id": f"request-{number}", "method": "POST", "url": "/v1/audio/speech", "body": body}
            file.write(json.dumps(request) + "\n")
    return path


def submitted(client: openai.OpenAI, folder: Path, count: int) -> Batch:
    """The steps of OpenAI's guide, up to a batch."""
    with requests_file(folder, count).open("rb") as file:
        uploaded = client.files.create(file=file, purpose="batch")
    create: Any = client.batches.create  # its types name OpenAI's own endpoints only
    made: Batch = create(input_file_id=uploaded.id, endpoint="/v1/audio/speech", completion_window="24h")
    return made


def until(client: openai.OpenAI, batch: Batch, holds: Callable[[Batch], bool], seconds: float = 100) -> Batch:
    """Ask for the batch until it is so."""

    def found() -> Batch | None:
        seen = client.batches.retrieve(batch.id)
        return seen if holds(seen) else None

    return wait_for(found, seconds=seconds, what="the batch")


def results(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of a file of results."""
    assert file_id is not None
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


@pytest.mark.timeout(900)
def test_the_documented_steps_bring_all_results(on_sqlite: Database, tmp_path: Path) -> None:
    """Upload, create, wait, download: each line once, each with its audio, each paid once."""
    config = EmulatorConfig(audio_bytes=4_844)
    with speaking(on_sqlite, tmp_path, config, **QUICK) as started, sdk(started.base_url) as client:
        batch = submitted(client, tmp_path, LINES)
        done = until(client, batch, lambda found: found.status in ENDED, seconds=800)
        assert done.status == "completed"
        assert done.request_counts is not None
        assert done.request_counts.model_dump() == {"completed": LINES, "failed": 0, "total": LINES}
        lines = results(client, done.output_file_id)
        assert [line["custom_id"] for line in lines] == [f"request-{number}" for number in range(LINES)]
        assert started.bills == LINES
        again = submitted(client, tmp_path, LINES)
        assert until(client, again, lambda found: found.status in ENDED, seconds=800).status == "completed"
        assert started.bills == LINES, "the same file again costs nothing"


def test_a_batch_cancelled_half_way_keeps_its_results(on_sqlite: Database, tmp_path: Path) -> None:
    """What was bought is in the output file, the rest in the error file, and nothing else is bought."""
    config = EmulatorConfig(audio_bytes=4_844, latency_seconds=0.2)
    with (
        speaking(on_sqlite, tmp_path, config, TTSQ_CONCURRENCY="4", **QUICK) as started,
        sdk(started.base_url) as client,
    ):
        batch = submitted(client, tmp_path, 100)
        until(client, batch, lambda found: bool(found.request_counts and found.request_counts.completed >= 10))
        assert client.batches.cancel(batch.id).status in {"cancelling", "cancelled"}
        done = until(client, batch, lambda found: found.status in ENDED)
        assert done.status == "cancelled"
        kept, left = results(client, done.output_file_id), results(client, done.error_file_id)
        assert len(kept) + len(left) == 100
        assert {line["error"]["code"] for line in left} == {"batch_cancelled"}
        # Calls in flight at the moment of the cancellation are paid; their audio has nowhere to go.
        assert len(kept) <= started.bills <= len(kept) + 4


def _noted(database: Database) -> int:
    """Jobs whose request any worker can poll."""
    with database.read() as connection:
        return connection.execute(select(func.count()).where(Job.request_id.is_not(None))).scalar_one()


def test_a_worker_killed_in_between_costs_nothing(
    start_cluster: StartCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its requests are submitted when it is killed: the other worker polls them, and none is bought again."""
    shape = Shape(latency_seconds=6, settings={"SEGMIND_API": "v2"})
    cluster = start_cluster(shape)
    settings: dict[str, Any] = {
        name: value for name, value in cluster.environment().items() if name.startswith(("TTSQ_", "SEGMIND_"))
    }
    for name, value in cluster.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    count = shape.workers * shape.slots
    del settings["TTSQ_DATABASE_URL"]
    with (
        running(cluster.database, open_door=True, **settings) as gateway,
        sdk(f"{gateway.address}/openai/v1") as client,
    ):
        batch = submitted(client, tmp_path, count)
        wait_for(lambda: _noted(cluster.database) == count, seconds=60, what="all submitted, and their ids stored")
        cluster.kill(cluster.workers[0])
        done = until(client, batch, lambda found: found.status in ENDED)
        assert done.status == "completed"
        assert len(results(client, done.output_file_id)) == count
    assert cluster.emulator.state.submits == count
