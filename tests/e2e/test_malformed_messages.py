"""What isn't a message of ours ends no worker and cuts no call, however much of it is in the queue."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from api_models.status import JobStatus
from tests import malformed_messages
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.process.shared_queue import SHARED_QUEUE, own_queue
from worker.producer.messages import REFUSED
from worker.store import installation
from worker.store.outbox import events
from worker.store.tables.workers import Worker

CALLS = 50
MESSAGES = 200
SECONDS = 60.0
SEED = 20_261_130


def dropped(cluster: Cluster) -> int:
    """How many messages the workers have counted as dropped."""
    with cluster.database.read() as connection:
        return sum(connection.execute(select(Worker.dropped_messages)).scalars())


def refused(cluster: Cluster) -> int:
    """How many producers were told by an event."""
    with cluster.database.read() as connection:
        return len(events.after(connection, 0, most=1_000, types=[REFUSED]))


def test_malformed_messages_end_no_worker_and_cut_no_call(start_cluster: StartCluster, tmp_path: Path) -> None:
    """200 of every shape, to both queues, while 50 calls are in flight: each is counted, each call is recorded."""
    cluster = start_cluster(Shape(workers=1, slots=CALLS, latency_seconds=8.0))
    worker, mark = cluster.workers[0], tmp_path / "unpickled"
    batch = cluster.submit([f"This is line {number} of many." for number in range(CALLS)])
    wait_for(lambda: cluster.counts(batch).of(JobStatus.RUNNING) == CALLS, seconds=SECONDS, what="all calls in flight")

    rng = random.Random(SEED)
    shapes = list(malformed_messages.shapes(mark).items())
    chosen = [*shapes, *rng.choices(shapes, k=MESSAGES - len(shapes))]
    rng.shuffle(chosen)
    with cluster.database.read() as connection:
        queues = [own_queue(installation.known(connection) or ""), SHARED_QUEUE]
    with closing(cluster.services.valkey.client()) as client:
        for _, make in chosen:
            client.lpush(rng.choice(queues), make(rng))

    wait_for(
        lambda: dropped(cluster) >= MESSAGES, seconds=SECONDS, what="all counted", instead=lambda: worker.log[-4000:]
    )
    counts = cluster.wait_until_done(batch, timeout=SECONDS)
    assert dropped(cluster) == MESSAGES
    assert counts.of(JobStatus.SUCCEEDED) == CALLS, cluster.report(batch)
    assert cluster.emulator.state.calls == CALLS
    assert (worker.alive, mark.exists()) == (True, False)
    assert worker.log.count("message_dropped") == 100, "the rest of a flood is summed up"
    assert "Traceback" not in worker.log
    named = sum(name.startswith("producer's") for name, _ in chosen)
    wait_for(lambda: refused(cluster) == named, seconds=SECONDS, what="an event for each producer")
