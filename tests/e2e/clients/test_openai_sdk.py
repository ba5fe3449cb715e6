"""OpenAI's own SDK against a running gateway: every form, through cut connections, empty budgets and busy APIs."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import av
import openai
import pytest

from tests.cutting_proxy import CuttingProxy
from tests.speaking import Speaking, speaking
from worker.emulator.config import EmulatorConfig
from worker.store.database import Database

FORMS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
WAYS: Final = ("whole", "streamed", "events")
ASKED: Final[dict[str, Any]] = {"model": "gpt-4o-mini-tts", "voice": "alloy"}
TEXT: Final = "The ferry leaves at ten past four."


@contextmanager
def sdk(base_url: str, key: str = "none", **options: Any) -> Iterator[openai.OpenAI]:  # noqa: ANN401 - the SDK's own
    """The SDK as its users have it: it repeats a request twice."""
    with closing(openai.OpenAI(base_url=base_url, api_key=key, **options)) as client:
        yield client


def spoken(client: openai.OpenAI, form: str, way: str, text: str = TEXT) -> bytes:
    """The audio of one text, asked for in this way."""
    asked = {**ASKED, "input": text, "response_format": form}
    if way == "whole":
        return client.audio.speech.create(**asked).content
    if way == "streamed":
        with client.audio.speech.with_streaming_response.create(**asked) as answer:
            return b"".join(answer.iter_bytes())
    with client.audio.speech.with_streaming_response.create(**asked, stream_format="sse") as answer:
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    assert events[-1]["type"] == "speech.audio.done"
    return b"".join(base64.b64decode(event["audio"]) for event in events[:-1])


def codec_of(content: bytes, folder: Path) -> str:
    """The codec that another program's decoder finds; `pcm` for bytes that it does not know."""
    path = folder / "answer"
    path.write_bytes(content)
    try:
        with av.open(str(path)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 20_000
            return container.streams.audio[0].codec_context.name.removesuffix("float")
    except av.error.InvalidDataError:
        assert len(content) % 2 == 0
        return "pcm"


@pytest.fixture
def keyless(on_sqlite: Database, tmp_path: Path) -> Iterator[Speaking]:
    """A gateway that needs no key, before an API that takes a while."""
    with speaking(on_sqlite, tmp_path, EmulatorConfig(latency_seconds=0.2, jitter=1)) as started:
        yield started


@pytest.mark.parametrize("form", FORMS)
def test_each_form_arrives_in_each_way_through_cut_connections(keyless: Speaking, tmp_path: Path, form: str) -> None:
    """The first try of every request is cut at another moment; the SDK repeats it by itself, and one take is paid."""
    moments = iter((0.0, 0.05, 0.4))

    def plan(_name: str, before: int) -> float | None:
        return next(moments, None) if before == 0 else None

    with CuttingProxy(keyless.gateway.address, plan) as proxy, sdk(f"{proxy.address}/openai/v1") as client:
        answers = {spoken(client, form, way) for way in WAYS}
    assert len(answers) == 1, "the same bytes in every way"
    codec = {"wav": "pcm_s16le"}.get(form, form)
    assert codec_of(answers.pop(), tmp_path) == codec
    assert keyless.bills == 1


@pytest.mark.parametrize("form", FORMS)
def test_long_audio_cut_in_its_middle_is_sent_again(on_sqlite: Database, tmp_path: Path, form: str) -> None:
    """It is sent while it is encoded; the SDK repeats what was cut, and gets all of it for one bill a text."""
    moments = iter((0.5, 0.8, 1.1))

    def plan(_name: str, before: int) -> float | None:
        return next(moments, None) if before == 0 else None

    with speaking(on_sqlite, tmp_path, TTSQ_TAKE_CHECKS="off") as started:
        with CuttingProxy(started.gateway.address, plan) as proxy, sdk(f"{proxy.address}/openai/v1") as client:
            texts = [f"{TEXT} " * 80 + str(number) for number in range(3)]
            answers = [spoken(client, form, "whole", text) for text in texts]
        with sdk(started.base_url) as client:
            assert answers == [spoken(client, form, "streamed", text) for text in texts]
        assert started.bills == len(texts)


@pytest.mark.parametrize("form", FORMS)
def test_a_busy_api_is_waited_for(on_sqlite: Database, tmp_path: Path, form: str) -> None:
    """429 from the API is the queue's affair: the client gets its audio, and one take is paid."""
    busy = EmulatorConfig.model_validate(
        {"rules": [{"match": {"nth": [1, 2]}, "effect": {"status": 429, "headers": {"Retry-After": "1"}}}]}
    )
    with speaking(on_sqlite, tmp_path, busy) as started, sdk(started.base_url) as client:
        for way in WAYS:
            assert spoken(client, form, way)
        assert started.bills == 1


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_budget_is_said_once(on_sqlite: Database, tmp_path: Path, form: str) -> None:
    """The SDK raises its error for a missing quota and does not repeat the request; nothing is spent."""
    with speaking(on_sqlite, tmp_path, open_door=False) as started:
        key = str(started.gateway.client("acme", budget=Decimal(0)).key)
        with CuttingProxy(started.gateway.address, lambda *_: None) as proxy:
            with sdk(f"{proxy.address}/openai/v1", key) as client:
                for way in WAYS:
                    with pytest.raises(openai.RateLimitError) as refused:
                        spoken(client, form, way)
                    assert refused.value.code == "insufficient_quota"
            assert proxy.requests.total() == len(WAYS)
        assert started.bills == 0


def test_a_hundred_requests_cut_at_random_moments_are_a_hundred_bills(keyless: Speaking) -> None:
    """Each is cut once or twice, before, during or after its call; the SDK's own retries get the audio."""
    chance = random.Random(4)

    def plan(_name: str, before: int) -> float | None:
        return chance.uniform(0, 0.6) if before == 0 or (before == 1 and chance.random() < 0.3) else None

    texts = [f"Train number {number} leaves from platform two." for number in range(100)]
    with CuttingProxy(keyless.gateway.address, plan) as proxy, sdk(f"{proxy.address}/openai/v1") as client:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda text: spoken(client, "mp3", "whole", text), texts))
        assert proxy.cuts >= 100
    assert all(answers)
    assert keyless.bills == 100


def test_the_sdk_understands_what_it_is_refused(keyless: Speaking) -> None:
    """Its own errors, with the field."""
    with sdk(keyless.base_url) as client:
        assert "tts-1" in [model.id for model in client.models.list()]
        assert client.models.retrieve("gpt-4o-mini-tts").owned_by == "ttsq"
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.speech.create(model="tts-1", voice="aloy", input=TEXT)
        assert (refused.value.param, refused.value.type) == ("voice", "invalid_request_error")
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, speed=4)
        assert refused.value.param == "speed"
    with sdk(keyless.base_url, "ttsq_wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    assert keyless.bills == 0
