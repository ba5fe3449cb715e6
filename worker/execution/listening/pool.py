"""A few processes that listen to takes. One that ends or takes too long is replaced; its take is judged without."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from worker.acceptance.findings import WordTime
from worker.audio.codec.child import CodecChild, CodecTimeoutError
from worker.audio.codec.messages import CodecCrashError
from worker.execution.listening.messages import (
    Heard,
    ListeningError,
    ListenRequest,
    Request,
    WordsRequest,
    read_heard,
    read_words,
    write_request,
)

PROGRAM: Final = "from worker.execution.listening.process import main; main()"
TIME_LIMIT_SECONDS: Final = 300.0
"""For one take: the longest has eleven minutes, at a quarter of real time."""


@dataclass(slots=True)
class ListeningPool:
    """At most `size` processes, started when they are needed. Safe to share between threads."""

    size: int
    environment: Mapping[str, str]
    """What finds programs and models, such as PATH."""
    seconds: float = TIME_LIMIT_SECONDS
    _idle: list[CodecChild] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free: threading.BoundedSemaphore = field(init=False)
    _closed: bool = False

    def __post_init__(self) -> None:
        self._free = threading.BoundedSemaphore(self.size)

    def listen(self, request: ListenRequest) -> Heard:
        """Raises ListeningError; OSError: no process can be started."""
        return read_heard(self._answer(request))

    def words(self, request: WordsRequest) -> tuple[WordTime, ...]:
        """Raises as `listen`."""
        return read_words(self._answer(request), request.text)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _answer(self, request: Request) -> bytes:
        with self._free:
            child = self._taken() or CodecChild(PROGRAM, self.environment)
            try:
                found = child.ask(write_request(request), seconds=self.seconds)
            except (CodecCrashError, CodecTimeoutError) as error:
                child.close()
                raise ListeningError(str(error) or f"no answer within {self.seconds:.0f} s") from error
            except BaseException:
                child.close()
                raise
            self._put_back(child)
            return found

    def _taken(self) -> CodecChild | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_back(self, child: CodecChild) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        child.close()
