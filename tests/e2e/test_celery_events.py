"""Celery's own events, for monitors such as Flower: sent by workers that are asked to, and by no others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery

from tests.cluster.shape import Shape
from tests.e2e.conftest import StartCluster

LINES = 5
LOOK_SECONDS = 0.2
OF_TASKS = ("task-received", "task-started", "task-succeeded")


@contextmanager
def monitor(broker: str) -> Iterator[Counter[str]]:
    """How many events of each kind have come, as Flower would count them. Redis keeps none for later."""
    seen: Counter[str] = Counter()
    over = threading.Event()
    app = Celery("monitor", broker=broker, set_as_current=False)

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": lambda event: seen.update((event["type"],))})
            while not over.is_set():
                try:
                    for _ in receiver.consume(timeout=LOOK_SECONDS, wakeup=False):
                        if over.is_set():
                            break
                except TimeoutError:
                    continue

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("asked", [{"TTSQ_CELERY_EVENTS": "on"}, {}], ids=["asked", "unasked"])
def test_a_monitor_sees_every_attempt_of_workers_that_are_asked_to_tell(
    start_cluster: StartCluster, asked: dict[str, str]
) -> None:
    """Each attempt is received, started and succeeded, and the worker says that it is there; unasked, it is silent."""
    cluster = start_cluster(Shape(workers=0))
    with monitor(cluster.environment()["TTSQ_BROKER_URL"]) as seen:
        worker = cluster.add_worker(**asked)
        cluster.wait_until_done(cluster.submit([f"The line with the number {n}." for n in range(LINES)]))
        cluster.terminate(worker)  # all that it had to tell is told
    assert {kind: seen[kind] for kind in OF_TASKS} == dict.fromkeys(OF_TASKS, LINES if asked else 0)
    assert bool(seen["worker-online"]) is bool(asked)
