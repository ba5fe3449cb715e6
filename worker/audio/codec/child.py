"""One codec process as its worker sees it: started, asked one thing at a time, and killed when it takes too long."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from worker.audio.codec.messages import CodecCrashError

PACKAGES: Final = Path(__file__).parents[2]
"""Where this program's packages lie, installed or not."""
PROGRAM: Final = "from worker.audio.codec.process import main; main()"
MAX_ANSWER_BYTES: Final = 512 * 1024
NO_ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType({})
_PIECE_BYTES: Final = 4096


class CodecTimeoutError(Exception):
    """The process did not answer in time, and was killed."""


class CodecChild:
    """A codec process. Not safe to share between threads."""

    __slots__ = ("__weakref__", "_end", "_process")

    def __init__(self, program: str = PROGRAM, environment: Mapping[str, str] = NO_ENVIRONMENT) -> None:
        """Start it. It has no environment but what Python needs and this, and no file but its pipes. Raises OSError."""
        paths = [path for path in sys.path if path]
        if str(PACKAGES) not in paths:
            paths.append(str(PACKAGES))
        self._process = subprocess.Popen(  # noqa: S603 - this very Python, with a program of ours
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**environment, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
            # Ctrl-C and the signals of a process group are for the worker, which closes the pipe when it leaves.
            start_new_session=True,
        )
        # If never closed explicitly, it ends with this object or the interpreter.
        self._end = weakref.finalize(self, _end, self._process)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, line: bytes, *, seconds: float) -> bytes:
        """Send one line; the line that comes back. Raises CodecCrashError, CodecTimeoutError: the process is gone."""
        try:
            _pipe(self._process.stdin).write(line)
            return self._answer(time.monotonic() + seconds)
        except OSError as error:
            raise CodecCrashError("the codec process closed its pipe") from error
        except CodecTimeoutError:
            self.close()
            raise

    def close(self) -> None:
        self._end()

    def _answer(self, deadline: float) -> bytes:
        answer = b""
        poll = select.poll()
        pipe = _pipe(self._process.stdout).fileno()
        poll.register(pipe, select.POLLIN | select.POLLHUP)
        while not answer.endswith(b"\n"):
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise CodecTimeoutError
            piece = os.read(pipe, _PIECE_BYTES)
            answer += piece
            if not piece or len(answer) > MAX_ANSWER_BYTES:
                raise CodecCrashError(f"the codec process ended (status {self._process.poll()})")
        return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise CodecCrashError("the codec process has no pipe")
    return pipe
