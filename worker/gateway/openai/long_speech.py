"""Speech for a text over one request's limit: divided, bought part by part, and sent as the parts are accepted.

Each part is a job like that of a short request, with all its promises: a repeated request joins the parts that are
being bought and copies those that were. A few parts are bought ahead of what is sent, so that little is paid for a
client that leaves. Where a part fails after audio was sent, the body breaks off: no client can take half for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Scope

from api_models.openai import SpeechIn
from worker.gateway.openai import delivery
from worker.gateway.openai.delivery import Usage
from worker.gateway.openai.errors import OpenAIError
from worker.gateway.openai.holding import Client, ClientLeftError
from worker.gateway.openai.rendering import SAMPLE_RATE, Encoding
from worker.gateway.openai.requests import Share
from worker.store.queries.tenant_pages import JobEntry

AHEAD: Final = 8
"""Parts that are bought while an earlier one is awaited."""
FULL_SCALE: Final = 32_768.0


class Encoder(Protocol):
    def add(self, samples: Any, /) -> bytes: ...  # noqa: ANN401 - an array of numpy, which is imported late


class Spoken(Protocol):
    """A part that was accepted."""

    @property
    def entry(self) -> JobEntry: ...

    @property
    def audio(self) -> Encoding: ...


Speak = Callable[[Client, SpeechIn], Awaitable[Spoken]]
"""Speaks one part, as 16-bit samples. Raises as for a short request."""


@dataclass(slots=True)
class PartClient:
    """The client as each part's request sees it: it leaves when it disconnects, or when the whole response ends."""

    scope: Scope
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._gone.set()

    async def watch(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.leave()


@dataclass(slots=True)
class LongSpeech:
    """The parts of one request in their order."""

    request: Request
    shares: Sequence[Share]
    speak: Speak
    usage: Usage = field(default_factory=Usage)
    _client: PartClient = field(init=False)
    _watching: asyncio.Task[None] = field(init=False)
    _begun: list[asyncio.Task[Spoken]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._client = PartClient(self.request.scope)
        self._watching = asyncio.create_task(self._client.watch(self.request))

    async def response(self, wanted: SpeechIn) -> Response:
        """Return the response once the first part is accepted. Raises as a short request does until then."""
        try:
            first = await self._part(0)
        except BaseException:
            await self._end()
            raise
        headers = {"x-ttsq-job-id": str(first.entry.id), "x-ttsq-parts": str(len(self.shares))}
        pieces = self._pieces(wanted)
        if wanted.stream_format != "audio":
            return StreamingResponse(delivery.events(pieces, self.usage), 200, headers, "text/event-stream")
        return StreamingResponse(pieces, 200, headers, wanted.response_format.content_type)

    async def _pieces(self, wanted: SpeechIn) -> AsyncIterator[bytes]:
        from worker.audio.stream_encoder import StreamEncoder  # noqa: PLC0415 - costs numpy; few requests are long

        encoder = StreamEncoder(wanted.response_format)
        try:
            for index, share in enumerate(self.shares):
                part = await self._part(index)
                self.usage.count(part.entry)
                if content := await run_in_threadpool(_encoded, encoder, bytes(part.audio.content), share.pause):
                    yield content
            if content := await run_in_threadpool(encoder.end):
                yield content
        finally:
            await self._end()

    async def _part(self, index: int) -> Spoken:
        """Wait for a part. Later ones are begun meanwhile."""
        for share in self.shares[len(self._begun) : index + 1 + AHEAD]:
            self._begun.append(asyncio.create_task(self._insist(share)))
        return await self._begun[index]

    async def _insist(self, share: Share) -> Spoken:
        """Speak a part. All but the first wait as long as the client does: it can't be told to come back any more."""
        while True:
            try:
                found = await self.speak(self._client, share.wanted)
            except OpenAIError as error:
                if share is self.shares[0] or error.body["code"] != "not_ready":
                    raise
                continue
            await found.audio.begun(whole=True)
            return found

    async def _end(self) -> None:
        """Leave the parts that are not needed any more; those that nothing was paid for are cancelled."""
        self._client.leave()
        self._watching.cancel()
        for task in self._begun:
            with suppress(Exception, ClientLeftError):
                await task


def _encoded(encoder: Encoder, content: bytes, pause: float) -> bytes:
    import numpy as np  # noqa: PLC0415 - as above

    from worker.documents.join.assembly import with_pause  # noqa: PLC0415

    samples = np.frombuffer(content, "<i2").astype(np.float32)[:, np.newaxis] / np.float32(FULL_SCALE)
    return encoder.add(with_pause(samples, SAMPLE_RATE, pause)[:, 0])
