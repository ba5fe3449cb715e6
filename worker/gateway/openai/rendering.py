"""Stored audio in the form a client asked for, encoded in child processes. The latest results stay in memory.

Short audio is complete before it is sent. Long audio is sent while it is encoded. Weakness: each gateway process has a
memory of its own, so each encodes a text once.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
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
FOLLOW_SECONDS: Final = 0.005
"""Between two looks at a file that grows."""
MAX_READ_BYTES: Final = 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
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
class Encoding:
    """Audio that is being encoded: what there is of it, and its end. Belongs to the event loop."""

    content: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    error: BaseException | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, piece: bytes) -> None:
        self.content += piece
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        self.is_whole, self.error = error is None, error
        self._wake()

    async def begun(self, *, whole: bool) -> None:
        """Return when there is its beginning, or all of it. Raises as `Renderer.begun`."""
        while not (self._has_ended or (self.content and not whole)):
            await self._changed.wait()
        if self.error is not None and (whole or not self.content):
            raise self.error

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield it from its beginning to its end, as it comes. Raises the error that ended it too early."""
        sent = 0
        while True:
            changed = self._changed
            if piece := bytes(self.content[sent : sent + PIECE_BYTES]):
                sent += len(piece)
                yield piece
            elif self.error is not None:
                raise self.error
            elif self.is_whole:
                return
            else:
                await changed.wait()

    @property
    def _has_ended(self) -> bool:
        return self.is_whole or self.error is not None

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(slots=True)
class Renderer:
    """One per process; `begun` runs on its event loop."""

    codecs: CodecPool = field(default_factory=lambda: CodecPool(max(2, min(4, os.cpu_count() or 2))))
    memory_bytes: int = MEMORY_BYTES
    _folder: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="ttsq-gateway-"))
    _known: OrderedDict[Rendition, Encoding] = field(default_factory=OrderedDict)
    _size: int = 0
    _pending: dict[Rendition, Encoding] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def begun(self, wanted: Rendition, source: Source, *, whole: bool) -> Encoding:
        """Return the encoded audio: all of it, or at least the beginning. Requests for the same one share one encoding.

        Raises LostAudioError: the source is gone; OpenAIError: the stored audio cannot be converted; ArtifactsError:
        the store failed.
        """
        if (known := self._known.get(wanted)) is not None:
            self._known.move_to_end(wanted)
            return known
        encoding = self._pending.get(wanted)
        if encoding is None:
            encoding = self._pending[wanted] = Encoding()
            task = asyncio.create_task(self._render(wanted, source, encoding))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await encoding.begun(whole=whole)
        return encoding

    async def _render(self, wanted: Rendition, source: Source, encoding: Encoding) -> None:
        path = Path(self._folder.name) / f"{uuid4().hex}.out"
        working = asyncio.create_task(run_in_threadpool(self._made, wanted, source, path))
        try:
            while not working.done():
                await asyncio.wait({working}, timeout=FOLLOW_SECONDS)
                if piece := _beyond(path, len(encoding.content)):
                    encoding.add(piece)
            content = working.result()
            encoding.add(content[len(encoding.content) :])
            encoding.end()
            self._keep(wanted, encoding)
        except BaseException as error:  # noqa: BLE001 - raised where the audio is sent
            encoding.end(error)
        finally:
            self._pending.pop(wanted, None)
            path.unlink(missing_ok=True)

    def _keep(self, wanted: Rendition, encoding: Encoding) -> None:
        if len(encoding.content) <= self.memory_bytes // 4:
            self._known[wanted] = encoding
            self._size += len(encoding.content)
            while self._size > self.memory_bytes:
                self._size -= len(self._known.popitem(last=False)[1].content)

    def _made(self, wanted: Rendition, source: Source, encoded: Path) -> bytes:
        original = encoded.with_suffix(".take")
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

    def warm(self) -> None:
        """Prepare an encoder in a thread, while the request waits for its audio."""
        asyncio.get_running_loop().run_in_executor(None, self._warm)

    def _warm(self) -> None:
        with suppress(OSError):  # encoding will say so
            self.codecs.warm()

    def close(self) -> None:
        self.codecs.close()
        self._folder.cleanup()


def _beyond(path: Path, known: int) -> bytes:
    """The bytes of a growing file after the first `known` ones. A decoder that crashed begins the file anew, and writes
    the same bytes.
    """
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(known)
            return file.read(MAX_READ_BYTES) or b""
    except FileNotFoundError:
        return b""


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
