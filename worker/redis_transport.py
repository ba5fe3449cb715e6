"""kombu's Redis transport, without its habit of handing back unacknowledged messages when a connection closes.

The rows bring every job back, so nothing is lost by it. With it, a worker that had messages in hand when Redis died
would hand them back over the dead connection a second time, fail in a way that Celery doesn't expect, and exit.
"""

from __future__ import annotations

from kombu.transport import redis


class Channel(redis.Channel):
    """Closes without asking anything of the broker."""

    do_restore = False


class Transport(redis.Transport):
    """What `redis://` and `rediss://` mean in this process."""

    Channel = Channel
