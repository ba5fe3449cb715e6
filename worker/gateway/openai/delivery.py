"""Audio as OpenAI's clients expect it: the bytes, or server-sent events with pieces of them in base64."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from api_models.openai import SpeechIn
from worker.store.queries.tenant_pages import JobEntry

PIECE_BYTES: Final = 24 * 1024
"""Of audio in one event; a multiple of three, so that the pieces' base64 can also be joined."""
BYTES_PER_TOKEN: Final = 4
TOKENS_PER_SECOND: Final = 32
"""Both are estimates: the speech API reports no tokens."""


def response(content: bytes, entry: JobEntry, wanted: SpeechIn, headers: Mapping[str, str]) -> Response:
    if wanted.stream_format == "audio":
        return Response(content, 200, dict(headers), wanted.response_format.content_type)
    return StreamingResponse(_events(content, entry), 200, dict(headers), "text/event-stream")


def _events(content: bytes, entry: JobEntry) -> Iterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        piece = b64encode(content[start : start + PIECE_BYTES]).decode()
        yield _event({"type": "speech.audio.delta", "audio": piece})
    yield _event({"type": "speech.audio.done", "usage": usage(entry)})


def usage(entry: JobEntry) -> dict[str, int]:
    asked = -(-len(entry.text.encode()) // BYTES_PER_TOKEN)
    spoken = round((entry.duration_ms or 0) * TOKENS_PER_SECOND / 1000)
    return {"input_tokens": asked, "output_tokens": spoken, "total_tokens": asked + spoken}


def _event(content: Mapping[str, Any]) -> bytes:
    return b"data: " + to_json(content) + b"\n\n"
