"""Decoding and encoding in processes of their own, so that no foreign file can end a worker or take its memory.

A process starts when one is needed, serves any number of takes, and is replaced after a crash. The usual take, a WAV of
16-bit samples, is read without any of this: it is arithmetic on plain bytes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api_models.formats import DeliveryFormat
from worker.audio import id3
from worker.audio.codec.child import CodecChild, CodecTimeoutError
from worker.audio.codec.messages import (
    CodecCrashError,
    Encoded,
    EncodeRequest,
    Inspected,
    InspectRequest,
    Rendered,
    RenderRequest,
    Request,
    Result,
    read_result,
    write_request,
)
from worker.audio.conversion import PARTIAL_SUFFIX
from worker.audio.errors import BadAudio, BadAudioError

TIME_LIMIT_SECONDS: Final = 120.0
"""For one take. The vendor's longest takes a few seconds."""
TRIES: Final = 2
"""A process may also be killed for reasons that lie outside the take, such as a machine short of memory."""


@dataclass(slots=True)
class CodecPool:
    """At most `size` processes. Safe to share between threads: each waits for a process that is free."""

    size: int
    seconds: float = TIME_LIMIT_SECONDS
    _idle: list[CodecChild] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free: threading.BoundedSemaphore = field(init=False)
    _closed: bool = False

    def __post_init__(self) -> None:
        self._free = threading.BoundedSemaphore(self.size)

    def inspect(self, path: Path, into: Path, *, is_measured: bool) -> Inspected:
        """Look at an answer in any container; its WAV is `path` itself or a new file, `into`. Raises BadAudioError: it
        is no take, or no process survives it; OSError: it can't be read, or its WAV not be written; or no process can
        be started.
        """
        result = self._result(InspectRequest(path, into, is_measured))
        if not isinstance(result, Inspected):
            raise TypeError(result)
        return result

    def encode(self, request: EncodeRequest) -> Encoded:
        """Write a take in the requested form. Raises as `inspect`."""
        result = self._result(request)
        if not isinstance(result, Encoded):
            raise TypeError(result)
        return result

    def render(self, path: Path, into: Path, form: DeliveryFormat, *, speed: float) -> Rendered:
        """Write stored audio in that form at that speed. Raises as `inspect`."""
        result = self._result(RenderRequest(path, into, form, speed))
        if not isinstance(result, Rendered):
            raise TypeError(result)
        return result

    def warm(self) -> None:
        """Start a process unless one is idle, so that the next request need not wait for its imports."""
        if not self.pids() and self._free.acquire(blocking=False):
            try:
                self._put_back(CodecChild())
            finally:
                self._free.release()

    def pids(self) -> list[int]:
        with self._lock:
            return [child.pid for child in self._idle]

    def close(self) -> None:
        """End the processes; one that is at work ends with its take."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _result(self, request: Request) -> Result:
        line = write_request(request)
        for _ in range(TRIES):
            try:
                return self._answer(line)
            except CodecCrashError:
                _forget_part(request)
            except CodecTimeoutError as error:
                _forget_part(request)
                message = f"audio that could not be processed within {self.seconds:.0f} s"
                raise BadAudioError(BadAudio.UNREADABLE, message) from error
        raise BadAudioError(BadAudio.UNREADABLE, f"audio that crashed the decoder {TRIES} times")

    def _answer(self, line: bytes) -> Result:
        with self._free:
            child = self._taken() or CodecChild()
            try:
                result = read_result(child.ask(line, seconds=self.seconds))
            except (BadAudioError, OSError):
                self._put_back(child)
                raise
            except BaseException:
                child.close()
                raise
            self._put_back(child)
            return result

    def _taken(self) -> CodecChild | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_back(self, child: CodecChild) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        child.close()


def _forget_part(request: Request) -> None:
    """What a process that died had begun to write."""
    partial = request.into.with_name(request.into.name + PARTIAL_SUFFIX)
    for path in (partial, partial.with_name(partial.name + id3.PARTIAL_SUFFIX)):
        path.unlink(missing_ok=True)
