"""Stored audio in the form a client asked for, encoded in child processes. The latest results stay in memory.

Weakness: each gateway process has a memory of its own, so each encodes a text once.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from uuid import uuid4

from starlette.concurrency import run_in_threadpool

from api_models.formats import DeliveryFormat
from worker.artifacts.store import ArtifactStore
from worker.audio.codec.pool import CodecPool
from worker.audio.errors import BadAudioError
from worker.audio.riff import WavHeader, read_header
from worker.gateway.openai.errors import SERVER, OpenAIError

MEMORY_BYTES: Final = 32 * 2**20
"""Of encoded audio: about a thousand sentences as MP3."""
SAMPLE_RATE: Final = 24_000
_PLAIN: Final = frozenset({DeliveryFormat.WAV, DeliveryFormat.PCM})


class LostAudioError(Exception):
    """The store no longer has the content that the job's row names."""


class Rendition(NamedTuple):
    """What is delivered: a content, by its SHA-256, in a form at a speed."""

    sha256: str
    form: DeliveryFormat
    speed: float
    as_it_is: bool = False
    """The content has this form already."""


@dataclass(frozen=True, slots=True)
class Source:
    store: ArtifactStore
    key: str


@dataclass(slots=True)
class Renderer:
    """One per process; `rendered` runs on its event loop."""

    codecs: CodecPool = field(default_factory=lambda: CodecPool(max(2, min(4, os.cpu_count() or 2))))
    memory_bytes: int = MEMORY_BYTES
    _folder: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="ttsq-gateway-"))
    _known: OrderedDict[Rendition, bytes] = field(default_factory=OrderedDict)
    _size: int = 0
    _pending: dict[Rendition, asyncio.Task[bytes]] = field(default_factory=dict)

    async def rendered(self, wanted: Rendition, source: Source) -> bytes:
        """Return the encoded audio; requests for the same one wait for one encoding. Raises LostAudioError: the source
        is gone; OpenAIError: the stored audio cannot be converted; ArtifactsError: the store failed.
        """
        if (known := self._known.get(wanted)) is not None:
            self._known.move_to_end(wanted)
            return known
        task = self._pending.get(wanted)
        if task is None:
            task = asyncio.create_task(self._render(wanted, source))
            self._pending[wanted] = task
            task.add_done_callback(lambda _: self._pending.pop(wanted, None))
        return await asyncio.shield(task)

    async def _render(self, wanted: Rendition, source: Source) -> bytes:
        content = await run_in_threadpool(self._made, wanted, source)
        if len(content) <= self.memory_bytes // 4:
            self._known[wanted] = content
            self._size += len(content)
            while self._size > self.memory_bytes:
                self._size -= len(self._known.popitem(last=False)[1])
        return content

    def _made(self, wanted: Rendition, source: Source) -> bytes:
        original = Path(self._folder.name) / f"{uuid4().hex}.take"
        encoded = original.with_suffix(".out")
        try:
            if source.store.fetch(source.key, original, sha256=wanted.sha256) is None:
                raise LostAudioError
            if wanted.as_it_is:
                return original.read_bytes()
            if wanted.form in _PLAIN and wanted.speed == 1 and (header := _plain_header(original)):
                return _plain(original, header, wanted.form)
            self.codecs.render(original, encoded, wanted.form, speed=wanted.speed)
            return encoded.read_bytes()
        except BadAudioError as error:
            message = f"The stored audio cannot be converted: {error.message}."
            raise OpenAIError(502, SERVER, message, code="unreadable_audio") from error
        finally:
            original.unlink(missing_ok=True)
            encoded.unlink(missing_ok=True)

    def warm(self) -> None:
        """Prepare an encoder in a thread, while the request waits for its audio."""
        asyncio.get_running_loop().run_in_executor(None, self._warm)

    def _warm(self) -> None:
        with suppress(OSError):  # encoding will say so
            self.codecs.warm()

    def close(self) -> None:
        self.codecs.close()
        self._folder.cleanup()


def _plain_header(path: Path) -> WavHeader | None:
    """The header of a WAV that needs no conversion: 16-bit samples of one channel at 24 kHz, with correct sizes."""
    try:
        header = read_header(path)
    except BadAudioError:
        return None
    if header is None or header.streamed:
        return None
    shape = header.tag, header.channels, header.sample_bits, header.sample_rate
    return header if shape == (1, 1, 16, SAMPLE_RATE) else None


def _plain(path: Path, header: WavHeader, form: DeliveryFormat) -> bytes:
    content = path.read_bytes()
    if form is DeliveryFormat.WAV:
        return content
    return content[header.offset : header.offset + header.frames * header.frame_bytes]
