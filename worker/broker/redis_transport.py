"""kombu's Redis transport, changed in three ways.

It doesn't hand back unacknowledged messages when a connection closes. The rows bring every job back, so nothing is
lost by it. With it, a worker that had messages in hand when Redis died would hand them back over the dead connection a
second time, fail in a way that Celery doesn't expect, and exit.

It takes what waits at once: kombu asks for one message, waits for it on the event loop, and begins anew, which costs a
worker more than all else that Celery does for a message.

And it tells of every answer. A connection on which none comes kombu replaces by itself, and nobody else would hear of
it when the broker speaks again.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import Any, Final

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

MAX_CONCURRENT: Final = 100
"""Messages that are taken in one go; between two of them the event loop does nothing else."""


class Channel(redis.Channel):
    """Closes without asking anything of the broker, and drains a queue as far as its prefetch count permits."""

    do_restore = False
    from_transport_options = (*redis.Channel.from_transport_options, "heard")
    heard: Callable[[], None] = staticmethod(lambda: None)
    """Called whenever the wait for messages is answered, be it with the word that there are none."""

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - the signature is kombu's
        try:
            delivered = super()._brpop_read(**options)  # type: ignore[misc]  # unknown to its stubs
        except Empty:
            self.heard()
            raise
        self.heard()
        for queue in self.active_queues:
            self._take_what_waits(queue)
        return delivered

    def _take_what_waits(self, queue: str) -> None:
        """On the connection that has just been read from: nothing is under way on it until the next BRPOP."""
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
    """What `redis://` and `rediss://` mean in this process."""

    Channel = Channel
