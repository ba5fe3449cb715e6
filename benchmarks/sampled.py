"""Celery's command in a process that notes where its CPU goes: `python -m benchmarks.sampled FOLDER ARGUMENTS`.

A thread of its own looks at all others every few milliseconds: by how much each one's CPU clock has gone on, and where
its frames stand. Half of that time goes to the room in which the thread was at the look before, half to the one in
which it is. What the looking itself takes is in no room. It needs the clocks that Linux has for threads.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from celery.__main__ import main

from benchmarks import rooms

POLL_SECONDS: Final = 0.002
WRITE_SECONDS: Final = 0.25


def file_of(folder: Path, pid: int) -> Path:
    """Where a process writes."""
    return folder / f"{pid}.rooms"


class Watch:
    """CPU seconds by room, of all threads but its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._known: dict[int, tuple[float, str]] = {}
        """CPU seconds and room of each thread at the last look."""

    def start(self) -> None:
        """From now on, as long as the process lives."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        written = 0.0
        while True:
            time.sleep(POLL_SECONDS)
            self._look()
            if time.monotonic() - written > WRITE_SECONDS:
                written = time.monotonic()
                self._write()

    def _look(self) -> None:
        frames, seen = sys._current_frames(), {}  # noqa: SLF001 - what the library offers for this
        for thread in threading.enumerate():
            if thread is threading.current_thread() or thread.native_id is None or thread.ident not in frames:
                continue
            with suppress(OSError):  # it has ended meanwhile
                seen[thread.native_id] = self._spend(thread.native_id, frames[thread.ident])
        self._known = seen

    def _spend(self, thread: int, frame: FrameType) -> tuple[float, str]:
        clock = time.clock_gettime(_clock_of(thread))
        before, was = self._known.get(thread, (0.0, rooms.REST))
        if clock == before:
            return before, was
        now = rooms.room(_files(frame))
        self._spent[was] += (clock - before) / 2
        self._spent[now] += (clock - before) / 2
        return clock, now

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._spent), encoding="utf-8")
        fresh.replace(self._path)


def _clock_of(thread: int) -> int:
    """The kernel's number for a thread's CPU clock: the thread's id inverted, then the kind."""
    return (~thread << 3) | 6


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


if __name__ == "__main__":
    Watch(file_of(Path(sys.argv.pop(1)), os.getpid())).start()
    main()
