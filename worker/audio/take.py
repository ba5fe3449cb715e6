"""A take: one file that was accepted as audio, with its measures. Says whether it is whole, not whether it is good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.audio.container import SNIFF_BYTES, Container, sniff
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.riff import read_header

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
    container = _container_of(path)
    if container is Container.WAV:
        take = _accept_wav(path)
    elif container is Container.PCM:
        take = Take(path, container, PCM_SAMPLE_RATE, PCM_CHANNELS, path.stat().st_size // PCM_FRAME_BYTES)
    elif container in _AUDIBLE:
        take = _decoded(path, container)
    elif container is Container.MP4:
        raise BadAudioError(BadAudio.UNREADABLE, "an MP4 file, which is not decoded here")
    else:
        raise BadAudioError(BadAudio.NOT_AUDIO, f"no audio but {_WORDS[container]}")
    if take.frames == 0:
        raise BadAudioError(BadAudio.NO_FRAMES, f"a {container.value} file without any sound in it")
    return take


def _container_of(path: Path) -> Container:
    """The container, by few bytes where they are enough."""
    with path.open("rb", buffering=0) as file:
        head = file.read(FIRST_LOOK_BYTES)
        if not head:
            raise BadAudioError(BadAudio.EMPTY, "an empty file")
        container = sniff(head)
        if container in {Container.WAV, Container.OGG, Container.FLAC, Container.MP4}:
            return container
        return sniff(head + file.read(SNIFF_BYTES - len(head)))


def _accept_wav(path: Path) -> Take:
    header = read_header(path)
    if header is None:
        return _decoded(path, Container.WAV)
    return Take(path, Container.WAV, header.sample_rate, header.channels, header.frames)


def _decoded(path: Path, container: Container) -> Take:
    # soundfile and numpy take long to import, which plain WAV and every other command need not pay.
    from worker.audio.decoding import measured  # noqa: PLC0415  (the reason is the line above)

    sample_rate, channels, frames = measured(path)
    return Take(path, container, sample_rate, channels, frames)
