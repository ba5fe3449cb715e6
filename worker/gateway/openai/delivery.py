"""Audio as OpenAI's clients expect it: the bytes, or server-sent events with pieces of them in base64."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from api_models.openai import SpeechIn
from worker.gateway.openai.rendering import Encoding
from worker.store.queries.tenant_pages import JobEntry

PIECE_BYTES: Final = 24 * 1024
"""Of audio in one event; a multiple of three, so that the pieces' base64 can also be joined."""
BYTES_PER_TOKEN: Final = 4
TOKENS_PER_SECOND: Final = 32
"""Both are estimates: the speech API reports no tokens."""


@dataclass(slots=True)
class Usage:
    """Tokens of what was sent so far."""

    asked: int = 0
    spoken: int = 0

    def count(self, entry: JobEntry) -> None:
        self.asked += -(-len(entry.text.encode()) // BYTES_PER_TOKEN)
        self.spoken += round((entry.duration_ms or 0) * TOKENS_PER_SECOND / 1000)

    def shown(self) -> dict[str, int]:
        return {"input_tokens": self.asked, "output_tokens": self.spoken, "total_tokens": self.asked + self.spoken}


def response(audio: Encoding, entry: JobEntry, wanted: SpeechIn, headers: Mapping[str, str]) -> Response:
    """Whole with its length, or as it is encoded."""
    if wanted.stream_format != "audio":
        usage = Usage()
        usage.count(entry)
        return StreamingResponse(events(audio.pieces(), usage), 200, dict(headers), "text/event-stream")
    if audio.is_whole:
        return Response(bytes(audio.content), 200, dict(headers), wanted.response_format.content_type)
    return StreamingResponse(audio.pieces(), 200, dict(headers), wanted.response_format.content_type)


async def events(pieces: AsyncIterator[bytes], usage: Usage) -> AsyncIterator[bytes]:
    """Yield the pieces as events, and then what `usage` has counted by their end."""
    async for piece in _in_threes(pieces):
        yield _event({"type": "speech.audio.delta", "audio": b64encode(piece).decode()})
    yield _event({"type": "speech.audio.done", "usage": usage.shown()})


async def _in_threes(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at most `PIECE_BYTES`, each but the last a multiple of three."""
    rest = b""
    async for piece in pieces:
        rest += piece
        while len(rest) >= PIECE_BYTES:
            yield rest[:PIECE_BYTES]
            rest = rest[PIECE_BYTES:]
        if whole := len(rest) - len(rest) % 3:
            yield rest[:whole]
            rest = rest[whole:]
    if rest:
        yield rest


def _event(content: Mapping[str, Any]) -> bytes:
    return b"data: " + to_json(content) + b"\n\n"
