"""The v2 client and a server that sends scripted replies."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from api_models.registry import MODELS
from api_models.speech import Speech
from tests.integration.segmind_clients import Time, make_v2
from tests.servers.bare import BareServer, Reply, reply
from worker.emulator.faults import Effect, Match, Rule, Step
from worker.emulator.server import Emulator
from worker.segmind.v2 import ClientV2

SPEECH = Speech(text="Good evening, and welcome back.", voice_1="Puck")


PRICE = MODELS[SPEECH.model].price


PCM = b"\x00\x01" * 50


URI = "data:audio/wav;base64," + "AAEC" * 40


@contextlib.contextmanager
def bare(
    *replies: bytes | Reply, time: Time | None = None, run_timeout: float = 600, max_audio_bytes: int = 8_000_000
) -> Iterator[tuple[ClientV2, BareServer]]:
    """A client of a server that sends these replies."""
    with BareServer(replies) as server:
        made = make_v2(server.base_url, time=time, run_timeout=run_timeout, max_audio_bytes=max_audio_bytes)
        with contextlib.closing(made):
            yield made, server


def page(http: str = "200 OK", /, **fields: object) -> bytes:
    """A reply in JSON."""
    return reply(http, json.dumps(fields).encode(), "Content-Type: application/json")


def paths(server: BareServer) -> list[str]:
    """Verb and path of every request."""
    return [request.split(b" HTTP/")[0].decode() for request in server.requests]


def polls(emulator: Emulator, effect: Effect, **match: object) -> None:
    """Polls from now on have this effect."""
    emulator.admin.rules([Rule(match=Match.model_validate({"step": Step.POLL} | match), effect=effect)])


QUEUED = page(request_id="r-1", status="QUEUED")


PROCESSING = page(request_id="r-1", status="PROCESSING", metrics={})


COMPLETED = page(request_id="r-1", status="COMPLETED", metrics={"inference_time": 7.5})


OUTPUT = page(request_id="r-1", status="COMPLETED", output=URI)
