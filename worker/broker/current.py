"""The runtime of this process, used by the tasks. A message without a runtime is dropped: its row brings it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.broker.messages import AttemptMessage, DeliveryMessage, FinishMessage, ScheduleMessage
from worker.process.memory import freeze_startup_objects
from worker.process.runtime import Runtime
from worker.producer import DEFAULT_TENANT, messages
from worker.producer.messages import Message
from worker.store.database import is_passing
from worker.store.errors import describe

SUBMIT_AGAIN_SECONDS: Final = 1.0
"""Delay before a producer's message is requeued while the database is unavailable."""

log = structlog.get_logger("ttsq.worker")

_current: list[Runtime] = []
"""At most one."""


def set_runtime(parts: Runtime) -> None:
    """Make a runtime the one that this process's tasks use."""
    _current[:] = [parts]
    freeze_startup_objects()


def runtime() -> Runtime:
    """Raises IndexError before `set_runtime`."""
    return _current[0]


def note_broker_answer() -> None:
    if _current:
        runtime().broker.connected()


def run_attempt(message: AttemptMessage) -> None:
    if _current:
        runtime().executor.run(message.job_id, message.attempt)


def begin_attempt(message: AttemptMessage, ended: Callable[[], object]) -> None:
    """Start an attempt and return; `ended` is called when it has finished."""
    if _current:
        runtime().executor.begin(message.job_id, message.attempt, ended)
    else:
        ended()


def after_burst(work: Callable[[], object]) -> None:
    """Call `work` after the attempts that are ready now."""
    if _current:
        runtime().executor.pools.attempts.add(work)
    else:
        work()


def deliver(message: DeliveryMessage) -> None:
    """Queue a delivery, so that no slot waits for a receiver."""
    if _current:
        runtime().deliveries.add(message.due)


def finish(message: FinishMessage) -> None:
    if _current:
        runtime().batches.add(message.batch_id)


def run_schedule(message: ScheduleMessage) -> None:
    if _current:
        runtime().schedule_runs.add(message.run)


def submit(request: object, *, message_id: str, tenant: str | None, key: str | None) -> bool:
    """Write the requested job or its refusal. Return False if neither could be written."""
    if not _current:
        return False
    message = Message(message_id, request, tenant or DEFAULT_TENANT, key or f"celery {message_id}")
    try:
        if messages.take(message, runtime().database, runtime().settings):
            runtime().dispatcher.wake()
    except SQLAlchemyError as error:
        if not is_passing(error):
            raise
        log.warning("submission_waits", message=message_id, error=describe(error))
        return False
    return True
