"""How a message for an attempt is taken in.

Celery's own way gives each a thread of its pool until it is done, which a call that waits for minutes has no use for.
Here a message only stays unacknowledged for so long, so that Celery never has more in hand than there are slots.
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
from worker.broker.messages import AttemptMessage

Taken = Callable[..., object]
log = get_logger("celery.worker.request")
"""To which Celery tells an acknowledgement that could not be sent."""


class AttemptTask(Task[..., Any]):
    """A task whose messages are taken in this way."""

    Strategy = "worker.broker.consumer:strategy"


def strategy(task: AttemptTask, celery: Celery, consumer: Any, **options: Any) -> Taken:  # noqa: ANN401 - Celery's own
    """What the consumer calls with each message. With events on it is Celery's own way, which tells of every step."""
    if consumer.event_dispatcher is not None and consumer.event_dispatcher.enabled:
        own_way: Taken = default(task, celery, consumer, **options)
        return own_way

    done = Acknowledgements(consumer, defer=current.after_burst)

    def taken(message: Message, *_: object) -> None:
        current.begin_attempt(_decoded(message), lambda: done.add(message))

    return taken


class Acknowledgements:
    """Of messages whose attempts are over, given together: one by one, each would wake Celery's loop by itself, and
    have it fetch a single message in its place. Safe to share between threads.
    """

    def __init__(self, consumer: Any, *, defer: Callable[[Callable[[], object]], object]) -> None:  # noqa: ANN401 - its stubs don't know all that is asked of it
        """`defer` runs a callback after the current burst of messages."""
        self._consumer = consumer
        self._defer = defer
        self._messages: list[Message] = []
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        """One more that is done with."""
        with self._lock:
            self._messages.append(message)
            is_first = len(self._messages) == 1
        if is_first:
            self._defer(self._give)

    def _give(self) -> None:
        with self._lock:
            messages, self._messages = self._messages, []
        self._consumer.call_soon_ack(_acknowledge, messages, self._consumer.connection_errors)


def _acknowledge(messages: Sequence[Message], errors: tuple[type[BaseException], ...]) -> None:
    for message in messages:
        message.ack_log_error(log, errors)


def _decoded(message: Message) -> AttemptMessage:
    """Read the message. Celery logs and drops what raises InvalidTaskError."""
    match message.payload:
        case [[str(job_id), int(attempt)], *_]:
            with suppress(ValueError):
                return AttemptMessage.decode(job_id, attempt)
    raise InvalidTaskError("a job and the number of its attempt were expected")
