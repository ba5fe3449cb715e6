"""How a message for an attempt is taken in.

Celery's own way gives each a thread of its pool until it is done, which a call that waits for minutes has no use for.
Here a message only stays unacknowledged for so long, so that Celery never has more in hand than there are slots.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery import Celery, Task
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from celery.worker.strategy import default
from kombu.message import Message

from worker import app

Taken = Callable[..., object]
log = get_logger("celery.worker.request")
"""To which Celery tells an acknowledgement that could not be sent."""


class Turn(Task[..., Any]):
    """A task whose messages are taken in this way."""

    Strategy = "worker.turns:strategy"


def strategy(task: Turn, celery: Celery, consumer: Any, **options: Any) -> Taken:  # noqa: ANN401 - Celery's own
    """What the consumer calls with each message. With events on it is Celery's own way, which tells of every step."""
    if consumer.event_dispatcher is not None and consumer.event_dispatcher.enabled:
        own_way: Taken = default(task, celery, consumer, **options)
        return own_way

    def taken(message: Message, _body: object, ack: Taken, *_: object) -> None:
        job_id, attempt = _turn(message)
        app.begin(job_id, attempt, lambda: ack(log, consumer.connection_errors))

    return taken


def _turn(message: Message) -> tuple[UUID, int]:
    """The job and the number that a message carries. What else a message may hold, Celery tells and throws away."""
    match message.payload:
        case [[str(job_id), int(attempt)], *_]:
            with suppress(ValueError):
                return UUID(job_id), attempt
    raise InvalidTaskError("a job and the number of its attempt were expected")
