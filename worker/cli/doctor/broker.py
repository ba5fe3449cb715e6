"""Is the broker there, and does it take messages?"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from worker.broker import remedy, words
from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.settings import Settings

PING_SECONDS: Final = 5.0
PROBE: Final = "ttsq.doctor"
PROBE_SECONDS: Final = 10
CROWDED: Final = 0.9
"""The part of its memory from which on it is about to refuse messages."""


def check_broker(settings: Settings) -> Finding:
    """By writing: a broker that is full, or a replica, answers to all else."""
    if settings.embedded:
        return ok("memory://: the worker runs inside `ttsq run`")
    parts = urlsplit(settings.broker_url)
    where = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    if parts.scheme not in {"redis", "rediss"}:
        return warning(f"{where} is not checked", "memory:// and redis:// are what this program is tested with")
    from redis import Redis  # noqa: PLC0415 - the embedded default has no use for it
    from redis.exceptions import RedisError  # noqa: PLC0415 - likewise

    client = Redis.from_url(settings.broker_url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS)
    try:
        client.set(PROBE, "1", ex=PROBE_SECONDS)
        memory: Any = client.info("memory")
    except (RedisError, OSError) as error:
        told = words(error)
        return fail(f"{where}: {told}", remedy(told))
    finally:
        client.close()
    return _roomy(where, used=int(memory["used_memory"]), most=int(memory.get("maxmemory", 0)))


def _roomy(where: str, *, used: int, most: int) -> Finding:
    """Whether there is room for messages; `most` is 0 for a broker without a bound."""
    if most and used > CROWDED * most:
        return warning(
            f"{where} answers, and uses {used / 2**20:,.0f} of the {most / 2**20:,.0f} MiB it may",
            "raise its maxmemory before it refuses messages",
        )
    return ok(f"{where} answers and takes messages")
