"""Brings a run to its end: repair every service, finish all submitted jobs, stop every worker in good order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api_models.status import TERMINAL
from tests.chaos.cluster_harness import Stage
from tests.chaos.hosts import Host
from tests.chaos.waiting import keep_up
from tests.cluster.waiting import NotInTimeError, wait_for
from tests.servers.errors import ServerFailedError
from worker.process.shared_queue import SHARED_QUEUE, own_queue
from worker.store import installation
from worker.store.queries import jobs

DRAIN_SECONDS: Final = 240.0
"""Longer than any backoff that a job can have come into."""
ANSWER_SECONDS: Final = 60.0
EMPTY_SECONDS: Final = 30.0
DAY_SECONDS: Final = 86_400


def bring_to_end(stage: Stage) -> float:
    """Return once nothing moves any more; how many seconds the queue took to run empty.

    A condition that isn't reached in time is recorded as a failure of the run; the next step runs all the same.
    """
    stage.load.stop()
    began = time.monotonic()
    _await(stage, "every job has ended", DRAIN_SECONDS, lambda: _all_ended(stage))
    drained = time.monotonic() - began
    admin = stage.cluster.emulator.admin
    _await(stage, "the API has answered", ANSWER_SECONDS, lambda: admin.state(detail=False).in_flight == 0)
    _await(stage, "the broker is empty", EMPTY_SECONDS, lambda: messages_left(stage) == 0)
    # What dead workers left in a host's spool is cleared by a living one once it has lain there for long.
    for host in stage.hosts:
        _leave(stage, host)
        host.age_spool(DAY_SECONDS)
        host.start()
    for host in stage.hosts:
        _leave(stage, host)
    return drained


def messages_left(stage: Stage) -> int:
    """Messages in the broker."""
    client = stage.cluster.services.valkey.client()
    try:
        with stage.cluster.database.read() as connection:
            own = own_queue(installation.known(connection) or "")
        return int(client.llen(own)) + int(client.llen(SHARED_QUEUE))
    finally:
        client.close()


def _all_ended(stage: Stage) -> bool:
    keep_up(stage)
    try:
        with stage.cluster.database.read() as connection:
            counts = jobs.counts(connection, jobs.all_jobs())
    except SQLAlchemyError:
        return False
    return counts.of(*TERMINAL) == counts.total


def _await(stage: Stage, what: str, seconds: float, look: Callable[[], bool]) -> None:
    try:
        wait_for(look, seconds=seconds, what=what)
    except NotInTimeError as error:
        stage.chronicle.trouble.append(str(error).splitlines()[0])


def _leave(stage: Stage, host: Host) -> None:
    """Asked to, once it is up, a worker leaves in good order."""
    try:
        host.await_up()
        status = host.terminate()
    except (NotInTimeError, ServerFailedError) as error:
        stage.chronicle.trouble.append(f"{host.name}: {error}")
    else:
        if status:
            stage.chronicle.trouble.append(f"{host.name} left with status {status}; its log:\n{host.last_words()}")
