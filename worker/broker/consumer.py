"""Receives attempt messages.

Celery's default strategy holds a pool thread per message, which a call that waits for minutes doesn't need. Here a
message merely stays unacknowledged, so that Celery prefetches no more than there are slots.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from celery import Celery, Task
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from celery.worker.strategy import default
from kombu.message import Message

from worker.broker import current
from worker.broker.envelope import DECODED
from worker.broker.messages import AttemptMessage

Taken = Callable[..., object]
log = get_logger("celery.worker.request")
"""Celery's own logger for acknowledgements that could not be sent."""


class AttemptTask(Task[..., Any]):
    """A task whose messages go through `strategy`."""

    Strategy = "worker.broker.consumer:strategy"


def strategy(task: AttemptTask, celery: Celery, consumer: Any, **options: Any) -> Taken:  # noqa: ANN401 - Celery's own
    """Return the consumer's callback. With events enabled, use Celery's default, which emits them."""
    if consumer.event_dispatcher is not None and consumer.event_dispatcher.enabled:
        own_way: Taken = default(task, celery, consumer, **options)
        return own_way

    done = Acknowledgements(consumer, defer=current.after_burst)

    def taken(message: Message, *_: object) -> None:
        current.begin_attempt(_decoded(message), lambda: done.add(message))

    return taken


class Acknowledgements:
    """Acknowledges messages in groups: each acknowledgement wakes Celery's loop and fetches one message.

    Thread-safe.
    """

    def __init__(self, consumer: Any, *, defer: Callable[[Callable[[], object]], object]) -> None:  # noqa: ANN401 - its stubs are incomplete
        """`defer` runs a callback after the current burst of messages."""
        self._consumer = consumer
        self._defer = defer
        self._messages: list[Message] = []
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        with self._lock:
            self._messages.append(message)
            is_first = len(self._messages) == 1
        if is_first:
            self._defer(self._flush)

    def _flush(self) -> None:
        with self._lock:
            messages, self._messages = self._messages, []
        self._consumer.call_soon_ack(_acknowledge, messages, self._consumer.connection_errors)


def _acknowledge(messages: Sequence[Message], errors: tuple[type[BaseException], ...]) -> None:
    for message in messages:
        message.ack_log_error(log, errors)


def _decoded(message: Message) -> AttemptMessage:
    """The message that the transport has decoded, or the in-memory broker's. Celery logs and drops a message that
    raises InvalidTaskError.
    """
    decoded = (message.properties or {}).get(DECODED)
    if isinstance(decoded, AttemptMessage):
        return decoded
    match message.payload:
        case [[job_id, attempt], *_]:
            with suppress(TypeError, ValueError):
                return AttemptMessage.decode(job_id, attempt)
    raise InvalidTaskError("expected a job id and an attempt number")
