"""kombu's Redis transport, changed in three ways.

It doesn't requeue unacknowledged messages when a connection closes: database rows bring every job back. kombu would
requeue them over the dead connection after a Redis crash, fail in a way that Celery doesn't expect, and exit.

It fetches all queued messages at once. kombu fetches one per iteration of its event loop, which costs a worker more
than
everything else that Celery does for a message.

It reports every answer: kombu replaces a silent connection by itself, without a signal that the broker answers
again.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import Any, Final

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

MAX_CONCURRENT: Final = 100
"""Messages fetched at once; the event loop does nothing else meanwhile."""


class Channel(redis.Channel):
    """Closes without requeueing, and drains a queue up to its prefetch count."""

    do_restore = False
    from_transport_options = (*redis.Channel.from_transport_options, "heard")
    heard: Callable[[], None] = staticmethod(lambda: None)
    """Called whenever Redis answers the wait for messages, even with none."""

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - the signature is kombu's
        try:
            delivered = super()._brpop_read(**options)  # type: ignore[misc]  # unknown to its stubs
        except Empty:
            self.heard()
            raise
        self.heard()
        for queue in self.active_queues:
            self._drain(queue)
        return delivered

    def _drain(self, queue: str) -> None:
        """Uses the connection that was just read: it is idle until the next BRPOP."""
        room = min(self.qos.can_consume_max_estimate() or 0, MAX_CONCURRENT)
        if room == 0:
            return
        try:
            waiting = self.client.rpop(queue, room)  # a queue's name is its key: no message has a priority of Redis's
        except self.connection_errors:  # type: ignore[attr-defined]  # unknown to its stubs
            self.client.connection.disconnect()  # as kombu does: the next iteration connects anew
            raise
        for message in waiting or ():
            self.connection._deliver(loads(bytes_to_str(message)), queue)  # noqa: SLF001 - the way kombu delivers too


class Transport(redis.Transport):
    Channel = Channel
