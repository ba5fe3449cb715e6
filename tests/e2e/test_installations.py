"""Installations that share one Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from celery import Celery
from sqlalchemy import select

from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.services import Services
from tests.cluster.shape import DatabaseKind, Shape, StoreKind
from tests.cluster.waiting import wait_for
from tests.servers.valkey import Valkey
from worker.process.shared_queue import OWNER_KEY, SHARED_QUEUE, own_queue
from worker.store import installation
from worker.store.queries import jobs as job_queries
from worker.store.tables.workers import Worker

SHAPE = Shape(workers=1, slots=10, latency_seconds=0.1, database=DatabaseKind.SQLITE, store=StoreKind.FOLDER)
TEXTS = 60
SECONDS = 60.0


@pytest.fixture
def two(valkey: Valkey) -> Iterator[tuple[Cluster, Cluster]]:
    """Two installations with a database each, and one Redis."""
    with ExitStack() as stack:
        made = [stack.enter_context(Cluster(SHAPE, Services(valkey))) for _ in range(2)]
        yield made[0], made[1]


def queue_of(cluster: Cluster) -> str:
    """The installation's own queue."""
    with cluster.database.read() as connection:
        return own_queue(installation.known(connection) or "")


def dropped(cluster: Cluster) -> int:
    """Messages that its workers have dropped."""
    with cluster.database.read() as connection:
        return sum(connection.execute(select(Worker.dropped_messages)).scalars())


def texts_of(cluster: Cluster) -> list[str]:
    """The texts of all its jobs."""
    with cluster.database.read() as connection:
        return [job.text for job in job_queries.jobs(connection, job_queries.all_jobs())]


def test_installations_on_one_redis_do_not_see_each_other(two: tuple[Cluster, Cluster]) -> None:
    """Both work at once: no message goes astray, so none is sent twice, and each buys its own texts."""
    batches = [
        cluster.submit([f"Line {number} of {name}." for number in range(TEXTS)])
        for name, cluster in zip(("one", "two"), two, strict=True)
    ]
    for cluster, batch in zip(two, batches, strict=True):
        assert cluster.wait_until_done(batch, timeout=SECONDS).of(JobStatus.SUCCEEDED) == TEXTS
        assert cluster.emulator.state.calls == TEXTS
        assert (dropped(cluster), "messages_lost" in cluster.workers[0].log) == (0, False)


def test_a_producers_message_reaches_the_installation_that_it_names(two: tuple[Cluster, Cluster]) -> None:
    """By its queue. The queue that early versions had belongs to one of them alone."""
    shop = Celery("shop", broker=two[0].services.valkey.url, set_as_current=False)
    try:
        for number, cluster in enumerate(two):
            shop.send_task("ttsq.submit", args=[{"text": f"For number {number}."}], queue=queue_of(cluster))
        shop.send_task("ttsq.submit", args=[{"text": "For the owner of the name."}], queue=SHARED_QUEUE)
        wait_for(lambda: sum(len(texts_of(cluster)) for cluster in two) == 3, seconds=SECONDS, what="three jobs")
    finally:
        shop.close()
    with closing(two[0].services.valkey.client()) as client:
        owner = str(client.get(OWNER_KEY))
    for number, cluster in enumerate(two):
        expected = [f"For number {number}."]
        if own_queue(owner) == queue_of(cluster):
            expected.append("For the owner of the name.")
        assert sorted(texts_of(cluster)) == sorted(expected)
