"""Decides which installation on a broker reads the shared queue `ttsq` besides its own."""

from __future__ import annotations

from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from worker.process.shared_queue import OWNER_KEY, SHARED_QUEUE, SharedQueue

LOOK_SECONDS: Final = 30.0
"""Between two checks; a broker that was flushed forgets the owner."""

_QUEUE_TYPES: Final = frozenset({"list", "none", b"list", b"none"})
"""Of Redis; a key of another application's would refuse the wait for both queues."""

log = structlog.get_logger("ttsq.broker")


def read_shared_queue(consumer: Any, shared: SharedQueue, installation: str | None) -> None:  # noqa: ANN401 - Celery's consumer
    """Read the shared queue while it is ours, from now on and for the life of this connection."""
    if installation is None:
        return

    def look() -> None:
        _look_at_owner(consumer.connection.default_channel, shared, installation)
        reads = consumer.task_consumer.consuming_from(SHARED_QUEUE)
        if shared.is_ours and not reads:
            consumer.add_task_queue(SHARED_QUEUE)
        elif reads and not shared.is_ours:
            consumer.cancel_task_queue(SHARED_QUEUE)

    look()
    consumer.timer.call_repeatedly(LOOK_SECONDS, look)


def _look_at_owner(channel: Any, shared: SharedQueue, installation: str) -> None:  # noqa: ANN401 - unknown to its stubs
    """Take the shared queue if no installation has it. While the broker refuses to answer, nothing changes."""
    try:
        with channel.conn_or_acquire() as client:
            if shared.may_take:
                client.set(OWNER_KEY, installation, nx=True)
            owner = client.get(OWNER_KEY)
            is_queue = client.type(SHARED_QUEUE) in _QUEUE_TYPES
    except (RedisError, OSError):
        return
    is_ours = is_queue and owner in {installation, installation.encode()}
    if shared.is_ours and not is_ours:
        log.warning("shared_queue_lost", queue=SHARED_QUEUE, owner=repr(owner))
    shared.is_ours, shared.may_take = is_ours, is_ours or not is_queue
