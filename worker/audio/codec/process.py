"""The process in which foreign audio is decoded and encoded: reads requests from stdin, answers on stdout.

It is bounded in memory and file size, ignores Ctrl-C, and ends with the worker that started it: its stdin is closed
then. It is started as a program (`codec_child`) and knows no settings, no key and no socket.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import BinaryIO, Final

MAX_MEMORY_BYTES: Final = 380 * 2**20
"""Of private memory, where the system can bound it (Linux). A take of an hour needs half of it."""
MAX_FILE_BYTES: Final = 512 * 2**20


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What a library prints must not stand among the answers.
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - before anything else is imported
        os.dup2(nowhere.fileno(), 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)  # what it writes lies in the spool
    _limit()
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_work, args=(lines, answers), daemon=True).start()
    # This thread waits for the worker's end also while the other one decodes.
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def _limit() -> None:
    """macOS knows the limits and minds few of them."""
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, MAX_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))


def _work(lines: SimpleQueue[bytes], answers: BinaryIO) -> None:
    try:
        # numpy and libsndfile take long to import: here, where nothing waits for them but the first request.
        from worker.audio.codec.answers import answer  # noqa: PLC0415  (the reason is the line above)

        while True:
            answers.write(answer(lines.get()))
    except BaseException:  # noqa: BLE001 - an end of this process is an answer as well
        os._exit(1)
