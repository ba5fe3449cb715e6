"""Requests in the shapes that programs without an SDK send: each is answered as that program expects."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.speaking import SPEECH, Speaking

TEXT: Final = "I have looked that up for you."
JSON: Final = {"Content-Type": "application/json"}
REQUESTS: Final[dict[str, tuple[dict[str, str], dict[str, Any]]]] = {
    "Open WebUI": (
        {**JSON, "X-OpenWebUI-User-Name": "ada", "X-OpenWebUI-User-Id": "7f", "X-OpenWebUI-User-Role": "user"},
        {"model": "tts-1", "input": TEXT, "voice": "alloy"},
    ),
    "SillyTavern": (
        JSON,
        {"model": "tts-1", "input": TEXT, "voice": "nova", "response_format": "mp3", "speed": 1},
    ),
    "LibreChat": (
        {"Content-Type": "application/json", "accept": "application/json, text/plain, */*", "user-agent": "axios/1.8"},
        {"input": TEXT, "model": "tts-1-hd", "voice": "shimmer"},
    ),
    "Home Assistant": (
        {**JSON, "Accept": "application/json"},
        {"input": TEXT, "model": "gpt-4o-mini-tts", "voice": "coral", "response_format": "mp3", "speed": 1.0},
    ),
}


@pytest.mark.parametrize("program", REQUESTS)
def test_a_program_gets_its_mp3(speaks: Speaking, program: str) -> None:
    """Status 200, a type that players take, and MPEG frames, whatever else the program sends along."""
    headers, body = REQUESTS[program]
    reply = speaks.client("POST", SPEECH, body, headers=headers)
    assert (reply.status, reply.headers["content-type"]) == (200, "audio/mpeg")
    assert reply.body[:3] == b"ID3" or reply.body[0] == 0xFF
    assert int(reply.headers["content-length"]) == len(reply.body)


def test_open_webui_finds_models_and_voices(speaks: Speaking) -> None:
    """It asks for both without a key, and reads `id` and `name` of each."""
    models = speaks.client.get("/openai/v1/audio/models").json["models"]
    voices = speaks.client.get("/openai/v1/audio/voices").json["voices"]
    assert all(model["id"] for model in models)
    assert all(voice["id"] and voice["name"] for voice in voices)


def test_open_webui_shows_the_message_of_an_error(speaks: Speaking) -> None:
    """It reads `error.message`."""
    reply = speaks.client.post(SPEECH, {"model": "tts-1", "input": TEXT, "voice": "siri"})
    assert reply.json["error"]["message"].startswith('voice: no voice "siri"')
