"""The process in which takes are listened to: reads requests from stdin, answers on stdout, and ends with stdin.

It yields to whatever else the machine has to do, and keeps what is slow to load for the next take.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from worker.execution.listening.messages import (
    Heard,
    ListenRequest,
    WordsRequest,
    read_request,
    write_error,
    write_heard,
    write_words,
)

if TYPE_CHECKING:
    from pathlib import Path

    from worker.acceptance.findings import Samples, WordTime

NICENESS: Final = 10
BLOCK_FRAMES: Final = 65_536


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - what a library prints must not stand among the answers
        os.dup2(nowhere.fileno(), 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)  # a library may write temporary files
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        os.nice(NICENESS)
    serve(sys.stdin.buffer, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    answers.writelines(answer(line) for line in requests)


def answer(line: bytes) -> bytes:
    try:
        request = read_request(line)
        return write_words(_words(request)) if isinstance(request, WordsRequest) else write_heard(_heard(request))
    except Exception as error:  # noqa: BLE001 - the worker logs it; the take is neither good nor bad for it
        return write_error(error)


def _heard(request: ListenRequest) -> Heard:
    from worker.acceptance.espeak import find_espeak  # noqa: PLC0415 - numpy is imported once a take arrives
    from worker.acceptance.findings import Rung, TakeText  # noqa: PLC0415 - likewise
    from worker.acceptance.listening import listen  # noqa: PLC0415 - likewise
    from worker.acceptance.reference import reference  # noqa: PLC0415 - likewise

    samples, rate = _samples(request.path)
    espeak = find_espeak(request.tools.espeak)
    known = reference(request.text, request.language, espeak) if Rung.RATE in request.rungs else None
    found = listen(
        samples,
        rate,
        TakeText(request.text, request.language, request.model, request.voice),
        rungs=request.rungs,
        rate_line=None if known is None else request.lines.get(known.source),
        espeak=espeak,
    )
    return Heard(found) if known is None else Heard(found, known.seconds, str(known.source))


def _words(request: WordsRequest) -> tuple[WordTime, ...]:
    from worker.acceptance.espeak import find_espeak  # noqa: PLC0415 - as above
    from worker.acceptance.timing import word_times  # noqa: PLC0415 - likewise

    samples, rate = _samples(request.path)
    return word_times(samples, rate, request.text, request.language, find_espeak(request.tools.espeak))


def _samples(path: Path) -> tuple[Samples, int]:
    """Return the take as one channel, and its rate in hertz."""
    import numpy as np  # noqa: PLC0415 - as above

    from worker.audio.samples import blocks  # noqa: PLC0415 - likewise
    from worker.audio.take import accept  # noqa: PLC0415 - likewise

    take = accept(path, is_whole=True)
    return np.concatenate([block.mean(axis=0) for block in blocks(take, BLOCK_FRAMES)]), take.sample_rate
