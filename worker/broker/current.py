"""The runtime of this process, and what tasks do with their messages. A message without a runtime is dropped: its row
brings it back."""

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
"""What a producer's message waits while the database is away, before it goes back to the queue."""

log = structlog.get_logger("ttsq.worker")

_current: list[Runtime] = []
"""The runtime of this process; at most one."""


def set_runtime(parts: Runtime) -> None:
    """Make a runtime the one that this process's tasks use."""
    _current[:] = [parts]
    freeze_startup_objects()


def runtime() -> Runtime:
    """Return the runtime of this process.

    Raises:
        IndexError: `set_runtime` was not called.
    """
    return _current[0]


def note_broker_answer() -> None:
    """Redis has answered the wait for messages."""
    if _current:
        runtime().broker.connected()


def run_attempt(message: AttemptMessage) -> None:
    """Run an attempt to its end on the caller's thread."""
    if _current:
        runtime().executor.run(message.job_id, message.attempt)


def begin_attempt(message: AttemptMessage, ended: Callable[[], object]) -> None:
    """Start an attempt and return; `ended` is called when it has finished."""
    if _current:
        runtime().executor.begin(message.job_id, message.attempt, ended)
    else:
        ended()


def after_burst(work: Callable[[], object]) -> None:
    """Call `work` after the attempts have done what is ready to be done now."""
    if _current:
        runtime().executor.pools.attempts.add(work)
    else:
        work()


def deliver(message: DeliveryMessage) -> None:
    """Queue a delivery, so that no slot waits for a receiver."""
    if _current:
        runtime().deliveries.add(message.due)


def finish(message: FinishMessage) -> None:
    """Queue the result files of a batch."""
    if _current:
        runtime().batches.add(message.batch_id)


def run_schedule(message: ScheduleMessage) -> None:
    """Queue a schedule's run."""
    if _current:
        runtime().schedule_runs.add(message.run)


def submit(request: object, *, message_id: str, tenant: str | None, key: str | None) -> bool:
    """Write the job that a producer's message asks for, or its refusal. Return False where neither could be written."""
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
