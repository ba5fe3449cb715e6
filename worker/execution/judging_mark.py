"""A mark on an answer of the spool while a codec process has it: found there later, a worker died with it in hand.

An answer that ends two workers would end every other one in turn, each with all the calls it has under way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MARK: Final = ".judging"
ATTRIBUTE: Final = "user.ttsq.judging"


def deaths(audio: Path) -> int:
    """How many workers left the mark behind. Raises nothing."""
    with suppress(OSError, ValueError):
        return int(_read(audio))
    return 0


@contextmanager
def marked(audio: Path) -> Iterator[None]:
    """Bear the mark inside, one more than was found; none after it. A disk that can't hold it is no reason to stop."""
    with suppress(OSError):
        _write(audio, str(deaths(audio) + 1).encode())
    try:
        yield
    finally:
        with suppress(OSError):
            _clear(audio)


def _read(audio: Path) -> bytes:
    if hasattr(os, "getxattr"):
        with suppress(OSError):
            return os.getxattr(audio, ATTRIBUTE)
    return _beside(audio).read_bytes()


def _write(audio: Path, number: bytes) -> None:
    if hasattr(os, "setxattr"):
        with suppress(OSError):
            os.setxattr(audio, ATTRIBUTE, number)
            return
    _beside(audio).write_bytes(number)


def _clear(audio: Path) -> None:
    if hasattr(os, "removexattr"):
        with suppress(OSError):
            os.removexattr(audio, ATTRIBUTE)
            return
    _beside(audio).unlink(missing_ok=True)


def _beside(audio: Path) -> Path:
    return audio.with_suffix(MARK)
