"""Check the broker through the application that a worker uses, so with its transport and its options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError

from worker.broker.app_factory import make_app
from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.process.broker_status import describe, remedy
from worker.process.runtime import QUEUE
from worker.settings import Settings

CROWDED: Final = 0.9
"""Share of memory in use from which to warn."""
NEEDED: Final = (
    ("LPUSH", QUEUE, "x"),
    ("RPOP", QUEUE, "1"),
    ("BRPOP", QUEUE, "1"),
    ("SADD", f"_kombu.binding.{QUEUE}", "x"),
    ("SMEMBERS", f"_kombu.binding.{QUEUE}"),
    ("LLEN", QUEUE),
)
"""What a worker and a producer send."""


def check_broker(settings: Settings) -> Finding:
    """Queue every command that a worker needs in a transaction, and discard it.

    Redis checks rights, memory and role when it queues; nothing is changed.
    """
    if settings.embedded:
        return ok("memory://: the worker runs inside `ttsq run`")
    parts = urlsplit(settings.broker_url)
    where = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    try:
        with client(settings) as redis:
            _try_commands(redis)
            return _roomy(where, _memory(redis))
    except (RedisError, KombuError, OSError, ValueError, TypeError, AttributeError) as error:
        message = describe(error)
        tls = (
            "; over rediss:// it must speak TLS, with a certificate that is trusted (ssl_ca_certs)"
            if parts.scheme == "rediss"
            else ""
        )
        return fail(f"{where}: {message}", remedy(message) + tls)


@contextmanager
def client(settings: Settings) -> Iterator[Redis]:
    """Yield the connected client of a worker's channel."""
    with make_app(settings, QUEUE).connection_for_write() as connection:
        channel: Any = connection.channel()  # unlike `default_channel`, it doesn't retry forever
        with closing(channel):
            yield channel.client


def _try_commands(redis: Redis) -> None:
    connection: Any = redis.connection_pool.get_connection()
    try:
        for command in (("MULTI",), *NEEDED, ("DISCARD",)):
            connection.send_command(*command)
            connection.read_response()
    finally:
        connection.disconnect()  # ends a transaction that was refused
        redis.connection_pool.release(connection)


def _memory(redis: Redis) -> dict[str, Any]:
    """Empty where this user may not ask."""
    try:
        found: Any = redis.info("memory")
    except RedisError:
        return {}
    return dict(found)


def _roomy(where: str, memory: dict[str, Any]) -> Finding:
    """Warn before the broker refuses messages; a `maxmemory` of 0 means no limit."""
    used, most = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    if most and used > CROWDED * most:
        return warning(
            f"{where} uses {used / 2**20:,.0f} of {most / 2**20:,.0f} MiB",
            "raise maxmemory before it refuses messages",
        )
    return ok(f"{where} accepts messages")
