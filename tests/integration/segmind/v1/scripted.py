"""The v1 client and a server that sends scripted replies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import SecretStr

from api_models.speech import Speech
from tests.servers.bare import BareServer, Reply
from worker.emulator.faults import Effect, Rule
from worker.emulator.server import Emulator
from worker.segmind.v1 import ClientV1

KEY = "SG_0123456789abcdef"


NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


SPEECH = Speech(text="Good evening, and welcome back.", voice_1="Puck")


def make_client(base_url: str, *, read_timeout: float = 20, max_audio_bytes: int = 8_000_000) -> ClientV1:
    return ClientV1(
        base_url=base_url,
        api_key=SecretStr(KEY),
        connections=4,
        connect_timeout=5,
        read_timeout=read_timeout,
        max_audio_bytes=max_audio_bytes,
        clock=lambda: NOW,
    )


@contextlib.contextmanager
def bare(*replies: bytes | Reply, scheme: str = "http", path: str = "") -> Iterator[tuple[ClientV1, BareServer]]:
    with BareServer(replies) as server:
        address = f"{scheme}://127.0.0.1:{server.port}{path}"
        with contextlib.closing(make_client(address)) as client:
            yield client, server


def faulty(emulator: Emulator, **effect: object) -> None:
    emulator.admin.rules([Rule(effect=Effect.model_validate(effect))])
