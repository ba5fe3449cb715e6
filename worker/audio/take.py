"""A take: one file that was accepted as audio, with its measures. Says whether it is whole, not whether it is good."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.audio.container import SNIFF_BYTES, Container, sniff
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.riff import HEAD_BYTES, header_of

PCM_SAMPLE_RATE: Final = 24_000
PCM_CHANNELS: Final = 1
PCM_FRAME_BYTES: Final = 2
FIRST_LOOK_BYTES: Final = 16
_AUDIBLE: Final = frozenset({Container.MP3, Container.OGG, Container.FLAC})
_WORDS: Final = {Container.JSON: "JSON", Container.TEXT: "text", Container.UNKNOWN: "unknown bytes"}


@dataclass(frozen=True, slots=True)
class Take:
    """Accepted audio in a file."""

    path: Path
    container: Container
    sample_rate: int
    """Hertz."""
    channels: int
    frames: int
    """Samples of one channel; at least one."""

    @property
    def duration_ms(self) -> int:
        """Milliseconds, rounded; at least one."""
        return max(1, round(self.frames * 1000 / self.sample_rate))


def accept(path: Path) -> Take:
    """Look at a file, whatever its name, and take it as audio.

    Raises:
        BadAudioError: it is none, or not all of it.
        OSError: it can't be read.
    """
    # The plain system calls, and few of them: this is on every job's way.
    file = os.open(path, os.O_RDONLY)
    try:
        size, head = os.fstat(file).st_size, os.pread(file, HEAD_BYTES, 0)
        container = _container_of(file, head)
        header = header_of(file, head, size) if container is Container.WAV else None
    finally:
        os.close(file)
    if header is not None:
        take = Take(path, container, header.sample_rate, header.channels, header.frames)
    elif container is Container.PCM:
        take = Take(path, container, PCM_SAMPLE_RATE, PCM_CHANNELS, size // PCM_FRAME_BYTES)
    elif container is Container.WAV or container in _AUDIBLE:
        take = _decoded(path, container)
    elif container is Container.MP4:
        raise BadAudioError(BadAudio.UNREADABLE, "an MP4 file, which is not decoded here")
    else:
        raise BadAudioError(BadAudio.NOT_AUDIO, f"no audio but {_WORDS[container]}")
    if take.frames == 0:
        raise BadAudioError(BadAudio.NO_FRAMES, f"a {container.value} file without any sound in it")
    return take


def _container_of(file: int, head: bytes) -> Container:
    """The container, by few bytes where they are enough."""
    if not head:
        raise BadAudioError(BadAudio.EMPTY, "an empty file")
    container = sniff(head[:FIRST_LOOK_BYTES])
    if container in {Container.WAV, Container.OGG, Container.FLAC, Container.MP4}:
        return container
    return sniff(head + os.pread(file, SNIFF_BYTES - len(head), len(head)))


def _decoded(path: Path, container: Container) -> Take:
    # soundfile and numpy take long to import, which plain WAV and every other command need not pay.
    from worker.audio.decoding import measured  # noqa: PLC0415  (the reason is the line above)

    sample_rate, channels, frames = measured(path)
    return Take(path, container, sample_rate, channels, frames)
