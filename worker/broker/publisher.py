"""Publishes the messages that wake workers, to the queue that all of this installation read.

An unsent message is never lost: its row is found and sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

import structlog
from celery import Celery
from kombu import Producer
from kombu.exceptions import KombuError
from uuid_utils.compat import uuid7

from worker.broker.envelope import INSTALLATION
from worker.broker.messages import AttemptMessage, DeliveryMessage, FinishMessage, Message, ScheduleMessage
from worker.process.broker_status import BrokerStatus
from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey
from worker.store.transitions.dispatches import Waiting

WAIT_SECONDS: Final = 5
"""For a connection of the producer pool."""

_HEADERS: Final = {
    "lang": "py",
    "parent_id": None,
    "group": None,
    "retries": 0,
    "eta": None,
    "expires": None,
    "timelimit": [None, None],
    "ignore_result": True,
}
_NO_FOLLOW_UP: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""Celery's follow-up tasks; always none."""

log = structlog.get_logger("ttsq.worker")


class Publisher:
    """Publishes to one queue, or for a while to another that workers of an early version read as well."""

    def __init__(self, app: Celery, queue: str, broker: BrokerStatus, *, installation: str | None = None) -> None:
        """`broker` is updated by job messages only: a worker depends on these."""
        self.early_queue: Callable[[], str | None] = lambda: None
        self._app = app
        self._queue = queue
        self._installation = {} if installation is None else {INSTALLATION: installation}
        self._broker = broker
        with app.connection_for_write() as connection:
            refused = connection.connection_errors + connection.channel_errors
        self._errors: tuple[type[BaseException], ...] = (KombuError, OSError, *refused)
        broker.probe = self._probe

    def jobs(self, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        """Publish one message per job. Return all jobs if sending failed, and record the outage."""
        error = self._publish_all(AttemptMessage(job.job_id, job.attempt) for job in jobs)
        if error is None:
            return ()
        self._broker.unsent(error, messages=len(jobs))
        return jobs

    def deliveries(self, due: Sequence[Due]) -> Sequence[Due]:
        sent = self._send_or_log([DeliveryMessage(one) for one in due])
        return () if sent else due

    def batches(self, batches: Sequence[UUID]) -> None:
        """Unsent messages are published again, like lost ones."""
        self._send_or_log([FinishMessage(batch_id) for batch_id in batches])

    def runs(self, runs: Sequence[RunKey]) -> None:
        """Unsent messages are published again, like lost ones."""
        self._send_or_log([ScheduleMessage(run) for run in runs])

    def _send_or_log(self, messages: Sequence[Message]) -> bool:
        error = self._publish_all(messages)
        if error is not None:
            log.warning("publish_failed", task=messages[0].task, unsent=len(messages), error=str(error).splitlines()[0])
        return error is None

    def _publish_all(self, messages: Iterable[Message]) -> BaseException | None:
        """Publish in one pipeline where the transport has one. Return the error.

        After an error an unknown number was sent, so all count as unsent: a duplicate message changes nothing.
        """
        try:
            with self._app.producer_pool.acquire(block=True, timeout=WAIT_SECONDS) as producer, _pipeline(producer):
                for message in messages:
                    self._send(producer, message)
        except self._errors as error:
            return error
        return None

    def _probe(self) -> None:
        """Publish a message for a job that doesn't exist: its receiver claims nothing."""
        with self._app.producer_pool.acquire(block=True, timeout=WAIT_SECONDS) as producer:
            self._send(producer, AttemptMessage(uuid7(), 0))

    def _send(self, producer: Producer, message: Message) -> None:
        """Celery's message protocol version 2; building it directly costs half of `send_task`."""
        message_id, arguments = str(uuid7()), message.encode()
        producer.publish(
            (arguments, {}, _NO_FOLLOW_UP),
            routing_key=self.early_queue() or self._queue,
            exchange="",
            serializer="json",
            correlation_id=message_id,
            headers={
                "id": message_id,
                "root_id": message_id,
                "task": message.task,
                "argsrepr": repr(arguments),  # where monitors look for the job
                **self._installation,
                **_HEADERS,
            },
            retry=False,
        )


def _pipeline(producer: Producer) -> AbstractContextManager[object]:
    batch: AbstractContextManager[object] = producer.batch()  # type: ignore[attr-defined]  # its stubs are of an older kombu
    return batch
