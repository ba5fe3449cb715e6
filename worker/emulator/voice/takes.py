"""Applies a fault to good audio and builds the body. Decides nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Final

from worker.emulator.faults import Effect, Take
from worker.emulator.voice.wav import BYTES_PER_SAMPLE, HEADER_BYTES, header, wav

WAV: Final = "audio/wav"
JSON: Final = "application/json"


JSON_TAKES: Final = frozenset({Take.JSON_URL, Take.JSON_DATA_URI, Take.JSON_BASE64, Take.JSON_ERROR, Take.JSON_BODY})
"""Takes whose body is JSON instead of the file."""


def body(effect: Effect, pcm: bytes, file_url: Callable[[], str]) -> tuple[str, bytes]:
    """Return the true content type and the body. `file_url` returns the URL of the take."""
    match effect.take:
        case Take.JSON_BODY:
            return JSON, effect.json_body.encode()
        case take if take in JSON_TAKES:
            return JSON, json.dumps(_fields(effect, pcm, file_url)).encode()
        case Take.EMPTY:
            return WAV, b""
        case Take.HEADERLESS:
            return WAV, pcm
        case Take.HUGE:
            return WAV, header(effect.size_bytes - HEADER_BYTES) + pcm
        case _:
            return WAV, wav(_altered(effect, pcm))


def _altered(effect: Effect, pcm: bytes) -> bytes:
    match effect.take:
        case Take.TRUNCATED:
            return pcm[: int(len(pcm) * effect.share) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE]
        case Take.REPEATED:
            return pcm * effect.repeats
        case Take.SILENT:
            return bytes(len(pcm))
        case Take.SILENT_TAIL:
            return pcm + bytes(len(pcm) * effect.repeats)
        case Take.HEADER_ONLY:
            return b""
        case _:
            return pcm


def _fields(effect: Effect, pcm: bytes, file_url: Callable[[], str]) -> dict[str, str]:
    match effect.take:
        case Take.JSON_URL:
            return {effect.json_key: file_url()}
        case Take.JSON_DATA_URI:
            return {effect.json_key: f"data:{WAV};base64,{_base64(wav(pcm))}"}
        case Take.JSON_BASE64:
            return {effect.json_key: _base64(wav(pcm))}
        case _:
            return {"error": effect.message or "Audio generation failed"}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
