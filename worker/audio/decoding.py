"""Containers that need libsndfile: opened, measured, read and converted to WAV, in blocks.

Runs in a codec process, because a foreign file may crash the library or make it allocate without limit.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from worker.audio.bounds import MAX_SECONDS, require_bounds
from worker.audio.container import SNIFF_BYTES, Container, junk_bytes, sniff
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.lengths import is_mp3_complete, with_flac_frames, with_mp3_frames

BLOCK_FRAMES: Final = 65_536
MAX_DECODED_BYTES: Final = 128 * 2**20
"""As 16-bit samples: 45 minutes at 24 kHz. A small file may decode to any number of samples."""
MAX_AMPLITUDE: Final = 4.0
"""Relative to full scale: up to 12 dB above is clipped; more is not audio."""
_LOSSLESS: Final = {"PCM_S8": ("PCM_16", "int16"), "PCM_16": ("PCM_16", "int16"), "PCM_24": ("PCM_24", "int32")}
"""The sample format to write, and the type to read it with, so that nothing is rounded."""
_LOSSY: Final = ("PCM_16", "float32")
MAX_CORRECTED_BYTES: Final = 32 * 2**20
"""A larger MP3 or FLAC file is read as it is: correcting takes its size in memory three times."""
_END: Final = "fseek"
"""In the library's error at the end of a FLAC file that promises more; others are damages."""
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})


def measured(path: Path) -> tuple[int, int, int]:
    """Sample rate in hertz, channels, and frames present. Raises BadAudioError: `unreadable`, or `cut_off` if the last
    declared frame can't be decoded.
    """
    with _opened(path) as sound:
        if sound.frames > 0 and not _reaches_its_end(sound):
            raise BadAudioError(BadAudio.CUT_OFF, f"sound that ends before the {sound.frames:,} frames it promises")
        return sound.samplerate, sound.channels, sound.frames


def decode(path: Path, into: Path) -> int:
    """Write the audio as a WAV of the same rate and channels; return the number of frames.

    Lossy containers become 16-bit samples; lossless ones keep their width. Samples above full scale are clipped. Raises
    BadAudioError: `unreadable`, or `out_of_range`.
    """
    with _opened(path) as sound:
        subtype, dtype = _LOSSLESS.get(sound.subtype, _LOSSY)
        with soundfile.SoundFile(into, "w", sound.samplerate, sound.channels, subtype, format="WAV") as target:
            for block in _bounded(sound.blocks(BLOCK_FRAMES, dtype=dtype), sound):
                target.write(_clipped(block) if dtype == "float32" else block)
            return int(target.frames)


def decoded_blocks(path: Path, block_frames: int) -> Iterator[npt.NDArray[np.float32]]:
    """The samples in order, one row per frame, with full scale at 1; floats may be up to 12 dB above. Raises
    BadAudioError: `unreadable`, or `out_of_range`.
    """
    with _opened(path) as sound:
        for block in _bounded(sound.blocks(block_frames, dtype="float32", always_2d=True), sound):
            _require_range(block)
            yield block


def holds_floats(path: Path) -> bool:
    """Whether samples can exceed full scale. Raises BadAudioError, `unreadable`."""
    with _opened(path) as sound:
        return sound.subtype in _FLOATS


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a file; the library's errors become BadAudioError."""
    try:
        with soundfile.SoundFile(_source(path)) as sound:
            require_bounds(sound.samplerate, sound.channels, sound.frames)
            _require_size(sound.frames, sound.channels)
            yield sound
    except soundfile.LibsndfileError as error:
        words = error.error_string or f"libsndfile's error {error.code}"
        raise BadAudioError(BadAudio.UNREADABLE, f"damaged or unsupported audio ({words})") from error


def _source(path: Path) -> Path | io.BytesIO:
    """The file as the library reads all of it: from its first MPEG frame on, and with its length."""
    with path.open("rb") as file:
        container = sniff(head := file.read(SNIFF_BYTES))
        is_small = os.fstat(file.fileno()).st_size <= MAX_CORRECTED_BYTES
        if container not in {Container.MP3, Container.FLAC} or not (is_small or junk_bytes(head)):
            return path
        content = head[junk_bytes(head) :] + file.read()
    if container is Container.MP3:
        is_right = not is_small or (_is_plausible(content) and is_mp3_complete(content))
        return io.BytesIO(content if is_right else with_mp3_frames(content))
    if _is_plausible(content):
        return path
    with soundfile.SoundFile(io.BytesIO(content)) as sound:
        return io.BytesIO(with_flac_frames(content, _counted(sound)))


def _is_plausible(content: bytes) -> bool:
    """Whether the header's length can be true."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as sound:
            return bool(0 < sound.frames <= MAX_SECONDS * sound.samplerate)
    except soundfile.LibsndfileError:
        return False


def _counted(sound: soundfile.SoundFile) -> int:
    """The frames of a file whose header is wrong. The library fails at its end, after it has filled part of a block."""
    frames, is_ended = 0, False
    while not is_ended:
        block = np.full((BLOCK_FRAMES, sound.channels), np.nan, np.float32)
        try:
            sound.read(out=block)
        except soundfile.LibsndfileError as error:
            if _END not in error.error_string:
                raise
            is_ended = True
        filled = int(np.count_nonzero(~np.isnan(block[:, 0])))
        is_ended, frames = is_ended or filled < BLOCK_FRAMES, frames + filled
        _require_size(frames, sound.channels)
    return frames


def _bounded(
    blocks: Iterator[npt.NDArray[np.float32]], sound: soundfile.SoundFile
) -> Iterator[npt.NDArray[np.float32]]:
    """The blocks, up to the limit: some containers declare fewer frames than they hold."""
    frames = 0
    for block in blocks:
        frames += len(block)
        _require_size(frames, sound.channels)
        yield block


def _require_size(frames: int, channels: int) -> None:
    if frames * channels * 2 > MAX_DECODED_BYTES:
        limit = MAX_DECODED_BYTES // 2**20
        raise BadAudioError(BadAudio.UNREADABLE, f"sound that decodes to more than {limit} MiB, which is the limit")


def _require_range(block: npt.NDArray[np.float32]) -> None:
    # Written so that what is no number fails as well.
    if block.size and not (block.max() <= MAX_AMPLITUDE and block.min() >= -MAX_AMPLITUDE):
        raise BadAudioError(
            BadAudio.OUT_OF_RANGE, f"samples that are no number, or over {MAX_AMPLITUDE:.0f} times full scale"
        )


def _clipped(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    _require_range(block)
    return np.clip(block, -1.0, 1.0)


def _reaches_its_end(sound: soundfile.SoundFile) -> bool:
    """Whether the last declared frame can be decoded. Ogg declares none: a cut shows only in the length."""
    try:
        sound.seek(sound.frames - 1)
        return len(sound.read(1)) == 1
    except soundfile.LibsndfileError:
        return False
