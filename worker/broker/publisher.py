"""The messages that workers send one another, a few words each: whose turn it is. Each goes to the queue that all read.

What can't be sent is never lost: its row is there, and whoever looks for it sends it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

import structlog
from celery import Celery
from kombu import Producer
from kombu.exceptions import KombuError
from uuid_utils.compat import uuid7

from worker.broker.messages import AttemptMessage, DeliveryMessage, FinishMessage, Message, ScheduleMessage
from worker.process.broker_status import BrokerStatus
from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey
from worker.store.transitions.dispatches import Waiting

WAIT_SECONDS: Final = 5
"""For one of the connections on which messages leave."""

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
_NO_SEQUEL: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The part of a message that says what comes after its task; here it is always nothing."""

log = structlog.get_logger("ttsq.worker")


class Publisher:
    """Sends messages to one queue."""

    def __init__(self, app: Celery, queue: str, broker: BrokerStatus) -> None:
        """`broker` is told how it goes with jobs: they are what a worker lives on."""
        self._app = app
        self._queue = queue
        self._broker = broker
        with app.connection_for_write() as connection:
            refused = connection.connection_errors + connection.channel_errors
        self._errors: tuple[type[BaseException], ...] = (KombuError, OSError, *refused)
        broker.probe = self._probe

    def jobs(self, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        """One message a job. What could not be sent comes back, and the broker's trouble is noted."""
        error = self._sent(AttemptMessage(job.job_id, job.attempt) for job in jobs)
        if error is None:
            return ()
        self._broker.unsent(error, messages=len(jobs))
        return jobs

    def deliveries(self, due: Sequence[Due]) -> Sequence[Due]:
        """One message a delivery of a webhook; what could not be sent comes back."""
        sent = self._send_or_log([DeliveryMessage(one) for one in due])
        return () if sent else due

    def batches(self, batches: Sequence[UUID]) -> None:
        """One message a batch that is over. What could not be sent is sent again like what was lost."""
        self._send_or_log([FinishMessage(batch_id) for batch_id in batches])

    def runs(self, runs: Sequence[RunKey]) -> None:
        """One message a schedule's run. What could not be sent is sent again like what was lost."""
        self._send_or_log([ScheduleMessage(run) for run in runs])

    def _send_or_log(self, messages: Sequence[Message]) -> bool:
        error = self._sent(messages)
        if error is not None:
            log.warning("publish_failed", task=messages[0].task, unsent=len(messages), error=str(error).splitlines()[0])
        return error is None

    def _sent(self, messages: Iterable[Message]) -> BaseException | None:
        """In one pipeline; a transport without them sends each by itself. Gives what prevented it.

        After a failure nobody knows how many left, so all count as unsent: a second message for a turn changes nothing.
        """
        try:
            with self._app.producer_pool.acquire(block=True, timeout=WAIT_SECONDS) as producer, _together(producer):
                for message in messages:
                    self._send(producer, message)
        except self._errors as error:
            return error
        return None

    def _probe(self) -> None:
        """A message for a job that there is none of: whoever takes it claims nothing."""
        with self._app.producer_pool.acquire(block=True, timeout=WAIT_SECONDS) as producer:
            self._send(producer, AttemptMessage(uuid7(), 0))

    def _send(self, producer: Producer, message: Message) -> None:
        """One message in version 2 of Celery's documented protocol; building it by hand costs half of `send_task`."""
        message_id, arguments = str(uuid7()), message.encode()
        producer.publish(
            (arguments, {}, _NO_SEQUEL),
            routing_key=self._queue,
            exchange="",
            serializer="json",
            correlation_id=message_id,
            headers={
                "id": message_id,
                "root_id": message_id,
                "task": message.task,
                "argsrepr": repr(arguments),  # where monitors look for the job
                **_HEADERS,
            },
            retry=False,
        )


def _together(producer: Producer) -> AbstractContextManager[object]:
    batch: AbstractContextManager[object] = producer.batch()  # type: ignore[attr-defined]  # its stubs are of an older kombu
    return batch
