"""Marks a spooled answer while a codec process reads it; a leftover mark means that a worker crashed on it.

Without the mark, such an answer would crash one worker after another, each with all its running calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from worker.environment import private_files

MARK: Final = ".judging"
ATTRIBUTE: Final = "user.ttsq.judging"


def deaths(audio: Path) -> int:
    """How many workers left the mark behind. Never raises."""
    with suppress(OSError, ValueError):
        return int(_read(audio))
    return 0


@contextmanager
def marked(audio: Path) -> Iterator[None]:
    """Increment the mark during the block, then remove it. Disk errors are ignored."""
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
    private_files.write(_beside(audio), number)


def _clear(audio: Path) -> None:
    if hasattr(os, "removexattr"):
        with suppress(OSError):
            os.removexattr(audio, ATTRIBUTE)
            return
    _beside(audio).unlink(missing_ok=True)


def _beside(audio: Path) -> Path:
    return audio.with_suffix(MARK)
