"""The runtime of this process, used by the tasks. A message without a runtime is dropped: its row brings it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.broker import envelope
from worker.broker.messages import SUBMIT, AttemptMessage, DeliveryMessage, FinishMessage, ScheduleMessage
from worker.process.dropped_messages import UnusableMessageError
from worker.process.memory import freeze_startup_objects
from worker.process.runtime import Runtime
from worker.producer import messages
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


def read_entry(raw: bytes, queue: str) -> dict[str, Any] | None:
    """Read an entry of a queue, in the form that kombu delivers; None for one that can never be served."""
    try:
        return envelope.read(raw, installation=runtime().installation if _current else None).for_celery(queue)
    except UnusableMessageError as error:
        _drop(error, queue)
    except Exception:  # an error here would end the worker
        log.exception("message_crashed", queue=queue)
        _drop(UnusableMessageError("crashed", "reading it failed"), queue)
    return None


def note_crash(message: dict[str, Any], queue: str) -> None:
    """The handling of a message failed unexpectedly, as it would again."""
    known = message["headers"]
    submission = known["id"] if known["task"] == SUBMIT else None
    _drop(UnusableMessageError("crashed", "handling it failed", submission=submission), queue)


def _drop(error: UnusableMessageError, queue: str) -> None:
    if _current:
        runtime().dropped.add(error, queue=queue)


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


def submit(message_id: str, args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
    """Write the requested job or its refusal. Return False if neither could be written."""
    if not _current:
        return False
    try:
        if messages.submit(message_id, args, kwargs, runtime().database, runtime().settings):
            runtime().dispatcher.wake()
    except SQLAlchemyError as error:
        log.warning("submission_waits", message=message_id, error=describe(error))
        return False
    return True
