"""The messages on the queue. Each carries only ids, except `ttsq.submit`; the database row is the truth.

Task names and the order of their arguments are a wire format that workers of other versions read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Protocol
from uuid import UUID

from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey

SUBMIT: Final = "ttsq.submit"
"""A producer's request for a job; its keyword arguments are documented in `docs/producers.md`."""

Arguments = tuple[str | int, ...]


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
    def decode(cls, job_id: str, attempt: int) -> AttemptMessage:
        return cls(UUID(job_id), attempt)


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """A webhook delivery is due. `attempts` is the number of requests sent so far."""

    task: ClassVar[str] = "ttsq.deliver"
    due: Due

    def encode(self) -> Arguments:
        return str(self.due.id), self.due.attempts

    @classmethod
    def decode(cls, delivery_id: str, attempts: int) -> DeliveryMessage:
        return cls(Due(UUID(delivery_id), attempts))


@dataclass(frozen=True, slots=True)
class FinishMessage:
    """All jobs of the batch have finished; its result files are not written yet."""

    task: ClassVar[str] = "ttsq.finish"
    batch_id: UUID

    def encode(self) -> Arguments:
        return (str(self.batch_id),)

    @classmethod
    def decode(cls, batch_id: str) -> FinishMessage:
        return cls(UUID(batch_id))


@dataclass(frozen=True, slots=True)
class ScheduleMessage:
    task: ClassVar[str] = "ttsq.schedule"
    run: RunKey

    def encode(self) -> Arguments:
        return self.run.tenant, self.run.schedule, self.run.due_at.isoformat()

    @classmethod
    def decode(cls, tenant: str, schedule: str, due_at: str) -> ScheduleMessage:
        return cls(RunKey(tenant, schedule, datetime.fromisoformat(due_at)))
