"""Check the broker through the application that a worker uses, so with its transport and its options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError

from api_models.broker_address import sentinel_address
from worker.broker.app_factory import make_app
from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.process.broker_status import describe, remedy
from worker.process.shared_queue import OWNER_KEY, SHARED_QUEUE, own_queue
from worker.settings import Settings
from worker.store import installation
from worker.store.database import Database

ANSWER_SECONDS: Final = 3.0
"""How long the broker has for each answer; a worker is more patient."""
CROWDED: Final = 0.9
"""Share of memory in use from which to warn."""


def check_broker(settings: Settings, database: Database | None = None) -> Finding:
    """Queue every command that a worker needs in a transaction, and discard it.

    Redis checks rights, memory and role when it queues; nothing is changed. With a database, its installation's queue
    is named.
    """
    if settings.embedded:
        return ok("memory://: the worker runs inside `ttsq run`")
    where = _where(settings.broker_url)
    try:
        with client(settings) as redis:
            known = _installation(database)
            _try_commands(redis, SHARED_QUEUE if known is None else own_queue(known))
            return _roomy(f"{where} accepts messages{_queues(redis, known)}", where, _memory(redis))
    except (RedisError, KombuError, OSError, ValueError, TypeError, AttributeError) as error:
        message = describe(error)
        tls = (
            "; the address asks for TLS, so it must speak TLS, with a certificate that is trusted (ssl_ca_certs)"
            if _speaks_tls(settings.broker_url)
            else ""
        )
        return fail(f"{where}: {message}", remedy(message) + tls)


def _where(url: str) -> str:
    """The address without user, password and options."""
    if sentinels := sentinel_address(url):
        hosts = ",".join(f"{host}:{port}" for host, port in sentinels.sentinels)
        return f"sentinel://{hosts}/{sentinels.database}, primary {sentinels.master_name}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _speaks_tls(url: str) -> bool:
    sentinels = sentinel_address(url)
    return url.startswith("rediss:") if sentinels is None else bool(sentinels.tls)


@contextmanager
def client(settings: Settings) -> Iterator[Redis]:
    """Yield the connected client of a worker's channel."""
    with make_app(settings, SHARED_QUEUE, probe_seconds=ANSWER_SECONDS).connection_for_write() as connection:
        transport: Any = connection.transport
        channel: Any = transport.create_channel(transport)  # `connection.channel()` would repeat what fails
        with closing(channel):
            yield channel.client


def _installation(database: Database | None) -> str | None:
    if database is None:
        return None
    with database.read() as connection:
        return installation.known(connection)


def _queues(redis: Redis, known: str | None) -> str:
    """Which queues are this installation's, and whether another one on this Redis has the shared one."""
    if known is None:
        return ""
    owner: Any = redis.get(OWNER_KEY)
    own = f"; the queue is {own_queue(known)}"
    if owner is None or owner in {known, known.encode()}:
        return own
    return f"{own}, and another installation on this Redis reads {SHARED_QUEUE}"


def _needed(queue: str) -> tuple[tuple[str, ...], ...]:
    """What a worker and a producer send."""
    return (
        ("LPUSH", queue, "x"),
        ("RPOP", queue, "1"),
        ("BRPOP", queue, "1"),
        ("SADD", f"_kombu.binding.{queue}", "x"),
        ("SMEMBERS", f"_kombu.binding.{queue}"),
        ("LLEN", queue),
        ("SET", OWNER_KEY, "x", "NX"),
        ("GET", OWNER_KEY),
        ("TYPE", queue),
    )


def _try_commands(redis: Redis, queue: str) -> None:
    connection: Any = redis.connection_pool.get_connection()
    try:
        for command in (("MULTI",), *_needed(queue), ("DISCARD",)):
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


def _roomy(state: str, where: str, memory: dict[str, Any]) -> Finding:
    """Warn before the broker refuses messages; a `maxmemory` of 0 means no limit."""
    used, most = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    if most and used > CROWDED * most:
        return warning(
            f"{where} uses {used / 2**20:,.0f} of {most / 2**20:,.0f} MiB",
            "raise maxmemory before it refuses messages",
        )
    return ok(state)
