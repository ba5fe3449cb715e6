"""Reading the history of a run from all who know a part of it, once every worker has left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

from sqlalchemy import select

from tests.chaos.cluster_harness import Stage
from tests.chaos.ending import messages_left
from tests.chaos.history import AttemptEnd, History, JobEnd
from worker.artifacts.keys import OWN_FOLDER
from worker.emulator.ledger import text_hash
from worker.store import account
from worker.store.tables.jobs import Attempt, Job

READERS: Final = 4
SURPRISES: Final = (
    "attempt_crashed",
    "dispatcher_crashed",
    "heartbeat_crashed",
    "raised unexpected",
    "Unrecoverable error",
    "Exception in thread",
)
"""Patterns of log lines that report an unexpected error: from our events, Celery or Python."""
MAX_MESSAGE_CHARACTERS: Final = 2_000


def collect(stage: Stage) -> History:
    """All of it."""
    cluster, chronicle = stage.cluster, stage.chronicle
    with cluster.database.read() as connection:
        jobs = [_job(row) for row in connection.execute(select(*Job.__table__.c).order_by(Job.id))]
        columns = [getattr(Attempt, name) for name in AttemptEnd.__slots__]
        attempts = [AttemptEnd(*row) for row in connection.execute(select(*columns).order_by(Attempt.finished_at))]
        gates = [f"{gate.name}: {gate.message}" for gate in account.closed_gates(connection)]
    return History(
        jobs=jobs,
        attempts=attempts,
        bill=cluster.emulator.state.bill,
        objects=_objects(stage),
        accepted=dict(chronicle.accepted),
        kills=tuple(chronicle.kills),
        exits=tuple(chronicle.exits),
        spooled=tuple(_spooled(stage)),
        messages=messages_left(stage),
        gates=gates,
        surprises=tuple(_surprises(stage)),
        trouble=tuple(chronicle.trouble),
    )


def lines_about(stage: Stage, word: str) -> list[str]:
    """Every line of every worker's log that has a word, by worker."""
    return [
        f"{worker.name}: {line}" for worker in stage.cluster.workers for line in worker.log.splitlines() if word in line
    ]


def _job(row: object) -> JobEnd:
    values = {name: getattr(row, name) for name in JobEnd.__slots__}
    return JobEnd(**{**values, "text": text_hash(values["text"])})


def _objects(stage: Stage) -> dict[str, str]:
    """Every object in the bucket but those that the store keeps for its own checks."""
    bucket = stage.cluster.place.bucket
    assert bucket is not None
    found = stage.cluster.seen.keys()
    keys = [key for key in found if f"/{OWN_FOLDER}/" not in key]

    def hashes(mine: Sequence[str]) -> dict[str, str]:
        with closing(bucket.client()) as client:
            bodies = ((key, client.get_object(Bucket=bucket.name, Key=key)["Body"].read()) for key in mine)
            return {f"{bucket.url}/{key}": hashlib.sha256(body).hexdigest() for key, body in bodies}

    with ThreadPoolExecutor(READERS) as readers:
        parts = list(readers.map(hashes, [keys[number::READERS] for number in range(READERS)]))
    return {uri: sha256 for part in parts for uri, sha256 in part.items()}


def _spooled(stage: Stage) -> Iterator[str]:
    for host in stage.hosts:
        if host.worker is not None:
            yield from (f"{host.name}: {name}" for name in host.worker.spooled())


def _surprises(stage: Stage) -> Iterator[str]:
    for worker in stage.cluster.workers:
        for line in worker.log.splitlines():
            if any(word in line for word in SURPRISES):
                yield f"{worker.name}: {line[:MAX_MESSAGE_CHARACTERS]}"
