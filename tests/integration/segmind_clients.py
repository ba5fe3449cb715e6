"""Both clients as the tests make them, a clock that only the clients' own waits move, and a handle that takes notes."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from worker.concurrency.futures import resolved
from worker.segmind.client import Client
from worker.segmind.v1 import ClientV1
from worker.segmind.v2 import ClientV2

KEY: Final = "SG_0123456789abcdef"
NOW: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
VERSIONS: Final = ("v1", "v2")


@dataclass(slots=True)
class Time:
    """Waits are written down and pass at once."""

    waits: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    stops_after: int | None = None
    """Number of waits before the worker's stop ends one."""
    on_wait: Callable[[], object] | None = None

    def pause(self, seconds: float) -> Future[bool]:
        """As `Stopping.pause`: whether the worker is stopping."""
        if self.stops_after is not None and len(self.waits) >= self.stops_after:
            return resolved(result=True)
        self.waits.append(seconds)
        self.elapsed += seconds
        if self.on_wait is not None:
            self.on_wait()
        return resolved(result=False)

    def monotonic(self) -> float:
        """Seconds waited so far."""
        return self.elapsed


@dataclass(slots=True)
class Notes:
    """A handle in memory."""

    request_id: str | None = None
    kept: list[str] = field(default_factory=list)
    on_keep: Callable[[], object] | None = None

    async def keep(self, request_id: str) -> None:
        """Written down as if committed."""
        self.request_id = request_id
        self.kept.append(request_id)
        if self.on_keep is not None:
            self.on_keep()


def make_v1(base_url: str, *, read_timeout: float = 20, max_audio_bytes: int = 8_000_000, key: str = KEY) -> ClientV1:
    """The blocking client."""
    return ClientV1(
        base_url=base_url,
        api_key=SecretStr(key),
        connections=4,
        connect_timeout=5,
        read_timeout=read_timeout,
        max_audio_bytes=max_audio_bytes,
        clock=lambda: NOW,
    )


def make_v2(
    base_url: str,
    *,
    time: Time | None = None,
    pause: Callable[[float], Future[bool]] | None = None,
    run_timeout: float = 600,
    read_timeout: float = 20,
    max_audio_bytes: int = 8_000_000,
    key: str = KEY,
) -> ClientV2:
    """The polling client, whose waits take no time."""
    time = time or Time()
    return ClientV2(
        base_url=base_url,
        api_key=SecretStr(key),
        connections=4,
        connect_timeout=5,
        read_timeout=read_timeout,
        max_audio_bytes=max_audio_bytes,
        clock=lambda: NOW,
        pause=pause or time.pause,
        run_timeout=run_timeout,
        monotonic=time.monotonic,
        rng=random.Random(1),
    )


def make_client(
    version: str, base_url: str, *, read_timeout: float = 20, max_audio_bytes: int = 8_000_000, key: str = KEY
) -> Client:
    """The client of either version."""
    make = make_v1 if version == "v1" else make_v2
    return make(base_url, read_timeout=read_timeout, max_audio_bytes=max_audio_bytes, key=key)
