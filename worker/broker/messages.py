"""The messages on the queue. Each carries ids only, except `ttsq.submit`; its row is the truth.

`encode` returns a task's positional arguments, and `decode` reads them back. The names of the tasks and the order of
their arguments are a wire format: workers of another version read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Protocol
from uuid import UUID

from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey

SUBMIT: Final = "ttsq.submit"
"""A producer's request for a job: keyword arguments, as `docs/producers.md` describes them."""

Arguments = tuple[str | int, ...]


class Message(Protocol):
    """What the publisher sends."""

    @property
    def task(self) -> str:
        """The Celery task's name."""

    def encode(self) -> Arguments:
        """The task's positional arguments."""


@dataclass(frozen=True, slots=True)
class AttemptMessage:
    """This job may start. `attempt` is the number of claims the dispatcher saw; a claim compares it."""

    task: ClassVar[str] = "ttsq.attempt"
    job_id: UUID
    attempt: int

    def encode(self) -> Arguments:
        return str(self.job_id), self.attempt

    @classmethod
    def decode(cls, job_id: str, attempt: int) -> AttemptMessage:
        """Raises ValueError where the id is no UUID."""
        return cls(UUID(job_id), attempt)


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """This delivery of a webhook is due. `attempts` is how many requests were made for it."""

    task: ClassVar[str] = "ttsq.deliver"
    due: Due

    def encode(self) -> Arguments:
        return str(self.due.id), self.due.attempts

    @classmethod
    def decode(cls, delivery_id: str, attempts: int) -> DeliveryMessage:
        """Raises ValueError where the id is no UUID."""
        return cls(Due(UUID(delivery_id), attempts))


@dataclass(frozen=True, slots=True)
class FinishMessage:
    """All jobs of this batch have finished, and its result files are not written."""

    task: ClassVar[str] = "ttsq.finish"
    batch_id: UUID

    def encode(self) -> Arguments:
        return (str(self.batch_id),)

    @classmethod
    def decode(cls, batch_id: str) -> FinishMessage:
        """Raises ValueError where the id is no UUID."""
        return cls(UUID(batch_id))


@dataclass(frozen=True, slots=True)
class ScheduleMessage:
    """This run of a schedule is due."""

    task: ClassVar[str] = "ttsq.schedule"
    run: RunKey

    def encode(self) -> Arguments:
        return self.run.tenant, self.run.schedule, self.run.due_at.isoformat()

    @classmethod
    def decode(cls, tenant: str, schedule: str, due_at: str) -> ScheduleMessage:
        """Raises ValueError where the time is not ISO 8601."""
        return cls(RunKey(tenant, schedule, datetime.fromisoformat(due_at)))
