"""kombu's Redis transports, changed in five ways.

They don't requeue unacknowledged messages when a connection closes: database rows bring every job back. kombu would
requeue them over the dead connection after a Redis crash, fail in a way that Celery doesn't expect, and exit.

They fetch all queued messages at once. kombu fetches one per iteration of its event loop, which costs a worker more
than everything else that Celery does for a message.

They have every entry read before Celery sees it, and drop what can never be served: Celery exits on an entry that
isn't in its own form.

They report every answer: kombu replaces a silent connection by itself, without a signal that the broker answers again.

They can be told how often to repeat a failed connection or command: redis does it three times by default.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import TYPE_CHECKING, Any, Final

import structlog
from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis.backoff import NoBackoff
from redis.retry import Retry

MAX_CONCURRENT: Final = 100
"""Messages fetched at once; the event loop does nothing else meanwhile."""

Message = dict[str, Any]
"""In kombu's form."""

log = structlog.get_logger("ttsq.broker")

_Base: Any = redis.Channel if TYPE_CHECKING else object


class GuardedChannel(_Base):  # type: ignore[misc]  # the stubs know few of its parts
    """Closes without requeueing, drains a queue up to its prefetch count, and delivers readable entries only."""

    do_restore = False
    heard: Callable[[], None] = staticmethod(lambda: None)
    """Called whenever Redis answers the wait for messages, even with none."""
    read: Callable[[bytes, str], Message | None] = staticmethod(lambda raw, _queue: loads(bytes_to_str(raw)))
    """Turns an entry of a queue into kombu's form; None for one that is dropped. Must not raise."""
    crashed: Callable[[Message, str], None] = staticmethod(lambda _message, _queue: None)
    """Called for each message whose handling failed, with the queue's name."""
    repeats: int | None = None
    """How often a failed connection or command is repeated, without a pause; None leaves it to redis."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(asynchronous)
        if self.repeats is not None:
            found["retry"] = Retry(NoBackoff(), self.repeats)
        return found

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401 - the signature is kombu's
        try:
            found: Any = self.client.parse_response(self.client.connection, "BRPOP", **options)
        except self.connection_errors:
            self.client.connection.disconnect()  # as kombu does: the next iteration connects anew
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        self.heard()
        if not found:
            raise Empty
        key, raw = found
        queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        self._accept(raw, queue)
        for each in self.active_queues:
            self._drain(each)
        return True

    def _drain(self, queue: str) -> None:
        """Uses the connection that was just read: it is idle until the next BRPOP."""
        room = min(self.qos.can_consume_max_estimate() or 0, MAX_CONCURRENT)
        if room == 0:
            return
        try:
            waiting = self.client.rpop(queue, room)  # a queue's name is its key: no message has a priority of Redis's
        except self.connection_errors:
            self.client.connection.disconnect()
            raise
        for raw in waiting or ():
            self._accept(raw, queue)

    def _accept(self, raw: bytes, queue: str) -> None:
        """Deliver an entry, or drop it. Raises connection errors only."""
        message = self.read(raw, queue)
        if message is None:
            return
        try:
            self.connection._deliver(message, queue)  # noqa: SLF001 - the way kombu delivers too
        except self.connection_errors:
            raise
        except Exception:
            log.exception("message_crashed", queue=queue)
            self._forget(message["properties"]["delivery_tag"])
            self.crashed(message, queue)

    def _forget(self, tag: str) -> None:
        """Release the prefetch slot of a message that nothing will acknowledge."""
        if tag in self.qos._delivered and tag not in self.qos._dirty:  # noqa: SLF001 - kombu offers no question
            self.qos.ack(tag)


_OPTIONS: Final = ("heard", "read", "crashed", "repeats")


class Channel(GuardedChannel, redis.Channel):
    from_transport_options = (*redis.Channel.from_transport_options, *_OPTIONS)


class Transport(redis.Transport):
    Channel = Channel


class SentinelChannel(GuardedChannel, redis.SentinelChannel):
    from_transport_options = (*redis.SentinelChannel.from_transport_options, *_OPTIONS)


class SentinelTransport(redis.SentinelTransport):
    Channel = SentinelChannel
