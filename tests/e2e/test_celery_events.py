"""Celery's own events, for monitors such as Flower: sent by workers that are asked to, and by no others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from celery import Celery

from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster

LINES: Final = 5
POLL_SECONDS: Final = 0.2
HEARD_SECONDS: Final = 30.0
OF_TASKS: Final = ("task-received", "task-started", "task-succeeded")


@dataclass(slots=True)
class Monitor:
    """What a monitor such as Flower has heard. Redis keeps no event for later, and brings them in order."""

    app: Celery
    events: list[dict[str, Any]] = field(default_factory=list)

    def kinds(self) -> set[str]:
        return {event["type"] for event in self.events}

    def of(self, kind: str) -> Sequence[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def catch_up(self, name: str) -> None:
        """Return when every earlier event has arrived: send an event of our own until it arrives."""
        with self.app.connection_for_write() as connection, self.app.events.Dispatcher(connection) as teller:

            def heard() -> bool:
                teller.send(f"monitor-{name}")
                return f"monitor-{name}" in self.kinds()

            wait_for(heard, seconds=HEARD_SECONDS, what="the monitor hears", instead=lambda: repr(self.kinds()))


@contextmanager
def monitor(broker: str) -> Iterator[Monitor]:
    """One that listens."""
    seen = Monitor(Celery("monitor", broker=broker, set_as_current=False))
    with seen.app.connection_for_read() as connection:
        receiver = seen.app.events.Receiver(connection, handlers={"*": seen.events.append})

        def listen() -> None:
            for _ in receiver.consume(safety_interval=POLL_SECONDS, wakeup=False):
                pass

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            seen.catch_up("there")
            yield seen
        finally:
            receiver.should_stop = True
            thread.join()


@pytest.mark.parametrize("asked", [{"TTSQ_CELERY_EVENTS": "on"}, {}], ids=["asked", "unasked"])
def test_a_monitor_sees_every_attempt_of_workers_that_are_asked_to_tell(
    start_cluster: StartCluster, asked: dict[str, str]
) -> None:
    """Each attempt is received, started and succeeded, and the worker says that it is there; unasked, it is silent."""
    cluster = start_cluster(Shape(workers=0))
    with monitor(cluster.environment()["TTSQ_BROKER_URL"]) as seen:
        worker = cluster.add_worker(**asked)
        batch = cluster.submit([f"The line with the number {n}." for n in range(LINES)])
        cluster.wait_until_done(batch)
        cluster.terminate(worker)
        seen.catch_up("at the end")
    told = [{event["uuid"] for event in seen.of(kind)} for kind in OF_TASKS]
    assert all(tasks == told[0] for tasks in told), seen.events
    # A message may come twice, and then there are more tasks than jobs: its second changes nothing.
    jobs = {str(job.id) for job in cluster.seen.jobs(batch)}
    assert len(jobs) == LINES
    named = {job for job in jobs for event in seen.of("task-received") if job in event["args"]}
    assert named == (jobs if asked else set())
    assert ("worker-online" in seen.kinds()) is bool(asked)
    assert asked or not any(told)
