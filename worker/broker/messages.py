"""The messages on the queue. Each carries only ids, except `ttsq.submit`; the database row is the truth.

Task names and the order of their arguments are a wire format that workers of other versions read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey

SUBMIT: Final = "ttsq.submit"
"""A producer's request for a job; its keyword arguments are documented in `docs/producers.md`."""
MAX_NUMBER: Final = 2**31 - 1
"""Of attempts; a larger one would fail the statement that it is claimed with, and every other claim in it."""
MAX_NAME_CHARACTERS: Final = 255

Arguments = tuple[str | int, ...]


class InvalidArgumentsError(ValueError):
    """A message's task is not ours, or its arguments are none that the task takes."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Message(Protocol):
    @property
    def task(self) -> str: ...

    def encode(self) -> Arguments: ...


@dataclass(frozen=True, slots=True)
class AttemptMessage:
    """The job may start. `attempt` is the number of claims the dispatcher saw; a claim compares it."""

    task: ClassVar[str] = "ttsq.attempt"
    job_id: UUID
    attempt: int

    def encode(self) -> Arguments:
        return str(self.job_id), self.attempt

    @classmethod
    def decode(cls, job_id: object, attempt: object) -> AttemptMessage:
        return cls(_uuid(job_id), _number(attempt))


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """A webhook delivery is due. `attempts` is the number of requests sent so far."""

    task: ClassVar[str] = "ttsq.deliver"
    due: Due

    def encode(self) -> Arguments:
        return str(self.due.id), self.due.attempts

    @classmethod
    def decode(cls, delivery_id: object, attempts: object) -> DeliveryMessage:
        return cls(Due(_uuid(delivery_id), _number(attempts)))


@dataclass(frozen=True, slots=True)
class FinishMessage:
    """All jobs of the batch have finished; its result files are not written yet."""

    task: ClassVar[str] = "ttsq.finish"
    batch_id: UUID

    def encode(self) -> Arguments:
        return (str(self.batch_id),)

    @classmethod
    def decode(cls, batch_id: object) -> FinishMessage:
        return cls(_uuid(batch_id))


@dataclass(frozen=True, slots=True)
class ScheduleMessage:
    task: ClassVar[str] = "ttsq.schedule"
    run: RunKey

    def encode(self) -> Arguments:
        return self.run.tenant, self.run.schedule, self.run.due_at.isoformat()

    @classmethod
    def decode(cls, tenant: object, schedule: object, due_at: object) -> ScheduleMessage:
        return cls(RunKey(_name(tenant), _name(schedule), _moment(due_at)))


_BY_TASK: Final[dict[str, Callable[..., Message]]] = {
    kind.task: kind.decode for kind in (AttemptMessage, DeliveryMessage, FinishMessage, ScheduleMessage)
}


def decode(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Message:
    """Decode the arguments of any task but `SUBMIT`.

    Raises:
        InvalidArgumentsError: no such task, or it takes other arguments.
    """
    decoder = _BY_TASK.get(task)
    if decoder is None:
        raise InvalidArgumentsError("unknown_task", f"there is no task {task[:80]!a}")
    try:
        return decoder(*args, **kwargs)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentsError("arguments", f"{task} takes other arguments: {str(error)[:80]!a}") from None


def _uuid(value: object) -> UUID:
    if not isinstance(value, str):
        raise TypeError("an id must be a string")
    return UUID(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise ValueError("a number of attempts must be a whole number from 0 on")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS or not value.isprintable():
        raise ValueError(f"a name must have 1 to {MAX_NAME_CHARACTERS} printable characters")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("a time must be ISO 8601 with its offset")
    return moment
