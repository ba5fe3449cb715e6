"""The API key, the store's secret and the database's password are never written down, whatever others echo."""

from __future__ import annotations

from contextlib import closing
from uuid import UUID

from sqlalchemy import Select, Text, cast, inspect, literal_column, make_url, select, table

from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape, StoreKind
from tests.e2e.conftest import StartCluster
from worker.emulator.api.responses import BodyShape
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule

LINES = [
    f"The {name} bridge opens at night." for name in ("north", "south", "east", "west", "old", "new", "iron", "red")
]

ECHOES = (
    Rule(effect=Effect(status=400, message=f"refused for {DEFAULT_KEY}"), match=Match(text_contains="iron")),
    Rule(effect=Effect(status=401, message=f"no such key: {DEFAULT_KEY}", shape=BodyShape.AUTH), times=3),
    Rule(effect=Effect(status=500, message=f"x-api-key: {DEFAULT_KEY}", shape=BodyShape.HTML), times=1),
)
"""Answers that throw the key back."""


def test_no_secret_is_written_down(start_cluster: StartCluster) -> None:
    """After a run full of errors that echo the key: no log, no row, no message, no CLI output has a secret in it."""
    shape = Shape(
        workers=1,
        latency_seconds=0.2,
        store=StoreKind.SWIFT,
        emulator=EmulatorConfig(audio_bytes=24_044, rules=ECHOES),
        settings={"TTSQ_LOG_LEVEL": "debug", "TTSQ_PROBE_SECONDS": "0.5"},
    )
    cluster = start_cluster(shape)
    batch = cluster.submit(LINES)
    counts = cluster.wait_until_done(batch)
    assert counts.by_status == {JobStatus.SUCCEEDED: 7, JobStatus.FAILED: 1}
    assert {"400", "401", "500"} <= set(cluster.emulator.state.statuses)
    refused = cluster.launch_worker(AWS_SECRET_ACCESS_KEY=f"{_store_secret(cluster)}-but-wrong")
    assert refused.wait() != 0

    written = {
        **{worker.name: worker.log for worker in cluster.workers},
        "database": _rows(cluster),
        "broker": _broker(cluster),
        **_command_outputs(cluster, batch),
    }

    assert all(written.values()), "something to search through is empty, so this shows nothing"
    for place, content in written.items():
        assert DEFAULT_KEY not in content, place
        assert _store_secret(cluster) not in content, place
        assert _database_password(cluster) not in content, place
    assert "refused for ***" in written["database"]


def _store_secret(cluster: Cluster) -> str:
    assert cluster.place.bucket is not None
    return cluster.place.bucket.secret_key


def _database_password(cluster: Cluster) -> str:
    password = make_url(cluster.place.database_url).password
    assert password
    return str(password)


def _rows(cluster: Cluster) -> str:
    """Every row of every table, as PostgreSQL writes rows."""
    tables = inspect(cluster.database.engine).get_table_names()
    with cluster.database.read() as connection:
        rows = [row for name in tables for row in connection.execute(_whole_rows(name)).scalars()]
    return "\n".join(rows)


def _whole_rows(name: str) -> Select[str]:
    return select(cast(literal_column("t"), Text)).select_from(table(name).alias("t"))


def _broker(cluster: Cluster) -> str:
    """Everything that Redis has ever been told, from its append-only file."""
    with closing(cluster.services.valkey.client()) as client:
        client.ping()
    files = cluster.services.valkey.folder.glob("appendonlydir/*.aof")
    return "\n".join(path.read_text(errors="replace") for path in files)


def _command_outputs(cluster: Cluster, batch: UUID) -> dict[str, str]:
    job = str(cluster.seen.jobs(batch, JobStatus.FAILED)[0].id)
    commands = (("status", str(batch)), ("jobs", "list", "--json"), ("jobs", "show", job), ("doctor",))
    results = {" ".join(command): cluster.ttsq(*command) for command in commands}
    return {command: result.stdout + result.stderr for command, result in results.items()}
