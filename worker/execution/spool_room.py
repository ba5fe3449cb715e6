"""Disk space promised to calls in flight: one that finds no room for its answer would be paid for in vain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

SECONDS_PER_BYTE: Final = 1 / 15
"""Of text; see the expected length of a take."""
AUDIO_BYTES_PER_SECOND: Final = 48_000
"""WAV at 24 kHz, 16 bits, mono."""
MARGIN: Final = 1.5
"""Answers vary in length, and a take in another container has its WAV beside it."""
MIN_BYTES: Final = 128 * 1024


@dataclass(slots=True)
class Room:
    """Bytes promised to the calls of this process. Thread-safe."""

    _promised: int = 0
    _largest: int = 0
    """Of the latest answers; long ones make the following promises longer."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def promise(self, text: str, *, free: int, keep: int) -> Iterator[bool]:
        """Promise room for the answer to `text` during the block. False if `free` bytes don't cover it, besides the
        promises to others and `keep`. A single call needs no more than `keep`, so that something always starts.
        """
        wanted = self._wanted(text)
        with self._lock:
            granted = free >= keep and (self._promised == 0 or free - self._promised - wanted >= keep)
            if granted:
                self._promised += wanted
        try:
            yield granted
        finally:
            if granted:
                with self._lock:
                    self._promised -= wanted

    def learn(self, size: int) -> None:
        """Note the size of an answer, in bytes."""
        with self._lock:
            self._largest = max(size, int(self._largest * 0.9))

    def _wanted(self, text: str) -> int:
        expected = (1 + len(text.encode("utf-8", "replace")) * SECONDS_PER_BYTE) * AUDIO_BYTES_PER_SECOND
        return max(MIN_BYTES, int(expected * MARGIN), self._largest)
