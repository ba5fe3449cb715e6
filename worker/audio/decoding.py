"""Containers that need a library: opened, measured, read and turned into WAV by libsndfile, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from worker.audio.errors import BadAudio, BadAudioError

BLOCK_FRAMES: Final = 65_536
_LOSSLESS: Final = {"PCM_S8": ("PCM_16", "int16"), "PCM_16": ("PCM_16", "int16"), "PCM_24": ("PCM_24", "int32")}
"""The kind of sample to write, and to read so that nothing is rounded."""
_LOSSY: Final = ("PCM_16", "float32")


def measured(path: Path) -> tuple[int, int, int]:
    """Sample rate in hertz, channels, and frames that are really there.

    Raises:
        BadAudioError: `unreadable`, or `cut_off` where the last frame promised can't be decoded.
    """
    with _opened(path) as sound:
        if sound.frames > 0 and not _reaches_its_end(sound):
            raise BadAudioError(BadAudio.CUT_OFF, f"sound that ends before the {sound.frames:,} frames it promises")
        return sound.samplerate, sound.channels, sound.frames


def decode(path: Path, into: Path) -> int:
    """Write the sound as a WAV of the same rate and channels; the number of frames written.

    Lossy containers become 16-bit samples, lossless ones keep their width.

    Raises:
        BadAudioError: `unreadable`.
    """
    with _opened(path) as sound:
        subtype, dtype = _LOSSLESS.get(sound.subtype, _LOSSY)
        with soundfile.SoundFile(into, "w", sound.samplerate, sound.channels, subtype, format="WAV") as target:
            for block in sound.blocks(BLOCK_FRAMES, dtype=dtype):
                target.write(block)
            return int(target.frames)


def decoded_blocks(path: Path, block_frames: int) -> Iterator[npt.NDArray[np.float32]]:
    """The samples in order, one row a frame, full scale being 1.

    Raises:
        BadAudioError: `unreadable`.
    """
    with _opened(path) as sound:
        yield from sound.blocks(block_frames, dtype="float32", always_2d=True)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """The sound in a file; the library's errors, whenever they come, become ours."""
    try:
        with soundfile.SoundFile(path) as sound:
            yield sound
    except soundfile.LibsndfileError as error:
        words = error.error_string or f"libsndfile's error {error.code}"
        raise BadAudioError(BadAudio.UNREADABLE, f"damaged or unsupported audio ({words})") from error


def _reaches_its_end(sound: soundfile.SoundFile) -> bool:
    """Whether the last frame promised can be decoded. Ogg promises none: there a cut shows in the length only."""
    try:
        sound.seek(sound.frames - 1)
        return len(sound.read(1)) == 1
    except soundfile.LibsndfileError:
        return False
