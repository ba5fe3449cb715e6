"""Which part of a job a stack of frames belongs to: the innermost frame that stands in a known room decides."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

REST: Final = "the rest"
PASSED_THROUGH: Final = (
    "worker/store/",
    "worker/execution/batcher",
    "worker/telemetry/logs",
    "worker/telemetry/tracing",
    "worker/http_client/",
)
"""Used by many rooms: the calling frame decides."""
ROOMS: Final = (
    ("worker/store/transitions/claims", "claim"),
    ("worker/store/transitions/settlement", "record"),
    ("worker/execution/batched_queries", "claim"),
    ("worker/execution/recorder", "record"),
    ("worker/execution/acceptance", "accept"),
    ("worker/execution/upload", "upload"),
    ("worker/segmind/", "call"),
    ("worker/audio/", "accept"),
    ("worker/artifacts/", "upload"),
    ("worker/execution/heartbeat", REST),
    ("worker/execution/", "steps"),
    ("worker/concurrency/", "waiting"),
    ("worker/dispatch/", "dispatch"),
    ("worker/broker/redis_transport", "Celery"),
    *((part, "Celery") for part in ("/celery/", "/kombu/", "/redis/", "/vine/", "/amqp/")),
)
"""The first that a frame's file has in its path decides. `steps` is what an attempt does between the others, its spool
included; `waiting` is the watch over calls that are open."""
NAMES: Final = ("claim", "call", "accept", "upload", "record", "steps", "waiting", "Celery", "dispatch", REST)


def room(files: Iterable[str]) -> str:
    """Of one stack, its frames' files from the innermost outwards."""
    return next((found for file in files if (found := of_file(file)) is not None), REST)


@lru_cache(maxsize=4_096)
def of_file(file: str) -> str | None:
    """Return the room of a frame in this file, or None if the calling frame decides."""
    found = next((name for part, name in ROOMS if part in file), None)
    if found is None and "worker/" in file and not any(part in file for part in PASSED_THROUGH):
        return REST
    return found
