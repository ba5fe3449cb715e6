"""A take: one file that was accepted as audio, with its measures. Says whether it is whole, not whether it is good."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.audio.bounds import require_bounds
from worker.audio.container import SNIFF_BYTES, Container, sniff
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.riff import HEAD_BYTES, WavHeader, header_of

PCM_SAMPLE_RATE: Final = 24_000
PCM_CHANNELS: Final = 1
PCM_FRAME_BYTES: Final = 2
FIRST_LOOK_BYTES: Final = 16
_DECODED: Final = frozenset(
    {Container.MP3, Container.OGG, Container.FLAC, Container.AIFF, Container.AU, Container.CAF, Container.W64}
)
_FOREIGN: Final = {
    Container.MP4: "an MP4 file (m4a)",
    Container.AAC: "AAC",
    Container.WEBM: "a WebM file",
    Container.WMA: "a Windows Media file",
    Container.AMR: "an AMR file",
}
_SURE: Final = frozenset(
    {Container.WAV, Container.OGG, Container.FLAC, Container.MP4, Container.AIFF, Container.AU, Container.CAF}
)
"""Known by their first bytes; the rest of the beginning needn't be read."""
_WORDS: Final = {Container.JSON: "JSON", Container.TEXT: "text", Container.UNKNOWN: "unknown bytes"}


@dataclass(frozen=True, slots=True)
class Take:
    path: Path
    container: Container
    sample_rate: int
    """Hertz."""
    channels: int
    frames: int
    """Samples of one channel; at least one."""
    missing_frames: int = 0
    """That the header promises beyond those, in a file whose sender says that it is whole."""

    @property
    def duration_ms(self) -> int:
        """Milliseconds, rounded; at least one."""
        return max(1, round(self.frames * 1000 / self.sample_rate))


def accept(path: Path, *, is_whole: bool = False) -> Take:
    """Look at a file, whatever its name, and take it as audio.

    `is_whole`: its transfer was complete, so a header that promises more of it is in doubt, and not the file. Raises
    BadAudioError: it is none, or not all of it; OSError: it can't be read.
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
        take = _plain(path, header, is_whole=is_whole)
    elif container is Container.PCM:
        take = Take(path, container, PCM_SAMPLE_RATE, PCM_CHANNELS, size // PCM_FRAME_BYTES)
    elif container is Container.WAV or container in _DECODED:
        take = _decoded(path, container)
    elif container in _FOREIGN:
        raise BadAudioError(BadAudio.UNSUPPORTED, f"{_FOREIGN[container]}, which this program can't decode")
    else:
        raise BadAudioError(BadAudio.NOT_AUDIO, f"no audio but {_WORDS[container]}")
    if take.frames == 0:
        raise BadAudioError(BadAudio.NO_FRAMES, f"a {container.value} file without any sound in it")
    require_bounds(take.sample_rate, take.channels, take.frames)
    return take


def plain_take(path: Path) -> Take | None:
    """The take of a WAV of 16-bit samples in a complete file, or None for all else: that needs `accept`. Raises
    BadAudioError: such a WAV, and no take; OSError: it can't be read.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        size, head = os.fstat(file).st_size, os.pread(file, HEAD_BYTES, 0)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return None
        header = header_of(file, head, size)
    finally:
        os.close(file)
    if header is None or header.sample_bits != 8 * PCM_FRAME_BYTES:
        return None
    take = _plain(path, header, is_whole=True)
    if take.frames == 0:
        raise BadAudioError(BadAudio.NO_FRAMES, "a wav file without any sound in it")
    require_bounds(take.sample_rate, take.channels, take.frames)
    return take


def _plain(path: Path, header: WavHeader, *, is_whole: bool) -> Take:
    if header.missing and not is_whole:
        raise BadAudioError(
            BadAudio.CUT_OFF,
            f"a WAV with {header.size:,} of the {header.size + header.missing:,} bytes of sound it promises",
        )
    missing = header.missing // header.frame_bytes
    return Take(path, Container.WAV, header.sample_rate, header.channels, header.frames, missing)


def _container_of(file: int, head: bytes) -> Container:
    """The container, by few bytes where they are enough."""
    if not head:
        raise BadAudioError(BadAudio.EMPTY, "an empty file")
    container = sniff(head[:FIRST_LOOK_BYTES])
    if container in _SURE:
        return container
    return sniff(head + os.pread(file, SNIFF_BYTES - len(head), len(head)))


def _decoded(path: Path, container: Container) -> Take:
    # soundfile and numpy take long to import, which plain WAV and every other command need not pay.
    from worker.audio.decoding import measured  # noqa: PLC0415  (the reason is the line above)

    sample_rate, channels, frames = measured(path)
    return Take(path, container, sample_rate, channels, frames)
