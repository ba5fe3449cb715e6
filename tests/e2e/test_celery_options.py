"""Options of Celery's that are given by habit: they have the effect that they promise, or one line says why not."""

from __future__ import annotations

from sqlalchemy import select

from tests.cluster.cluster import Cluster
from tests.cluster.processes import WorkerProcess
from tests.cluster.shape import DatabaseKind, Shape, StoreKind
from tests.e2e.conftest import StartCluster
from worker.process.shared_queue import own_queue
from worker.store import installation
from worker.store.tables.workers import Worker

SHAPE = Shape(workers=0, slots=7, database=DatabaseKind.POSTGRESQL, store=StoreKind.MOTO)

SLOTS = {
    ("-c", "2"): 2,
    ("--concurrency=3",): 3,
    ("--autoscale=10,3",): 10,
    ("--autoscale=4",): 4,
    ("-O", "fair"): 7,
    ("-P", "threads"): 7,
    ("-X", "other"): 7,
    ("-Q", "ttsq"): 7,
    ("--prefetch-multiplier=8",): 7,
}
REFUSED = {
    ("-Q", "other"): "-Q other: ",
    ("-Q", "ttsq,other"): "-Q other: ",
    ("-X", "ttsq"): "-X ttsq leaves the worker without a queue",
    ("-c", "6000"): "-c 6000: ",
    ("--autoscale=6000,1",): "-c 6000: ",
    ("-P", "solo"): "-P solo can't run calls",
}


def slots_of(cluster: Cluster, worker: WorkerProcess) -> int:
    """What the worker has announced."""
    with cluster.database.read() as connection:
        return connection.execute(select(Worker.slots).where(Worker.pid == worker.pid)).scalar_one()


def test_options_of_celery_are_slots_or_one_line(start_cluster: StartCluster) -> None:
    """A worker announces what it serves, and doesn't start where it would serve nothing."""
    cluster = start_cluster(SHAPE)
    with cluster.database.read() as connection:
        own = own_queue(installation.known(connection) or "")
    accepted = {**SLOTS, ("-Q", own): 7}
    refused = {**REFUSED, ("-X", own): f"-X {own} leaves the worker without a queue"}
    starting = {options: cluster.launch_worker(options=options) for options in (*accepted, *refused)}
    for options, slots in accepted.items():
        starting[options].await_ready()
        assert slots_of(cluster, starting[options]) == slots, options
    for options, message in refused.items():
        worker = starting[options]
        assert worker.wait() != 0, options
        assert f"ttsq: {message}" in worker.log, worker.log
        assert ("Traceback" in worker.log, "worker_started" in worker.log) == (False, False), worker.log


def test_a_worker_with_fewer_slots_is_given_no_more(start_cluster: StartCluster) -> None:
    """`-c 2` where the settings say 7: two calls at a time, and no message is sent in vain."""
    cluster = start_cluster(SHAPE)
    worker = cluster.launch_worker(options=("-c", "2"))
    worker.await_ready()
    batch = cluster.submit([f"Line {number}." for number in range(12)])
    cluster.wait_until_done(batch)
    state = cluster.emulator.state
    assert (state.calls, state.max_in_flight) == (12, 2)
    assert "messages_lost" not in worker.log
