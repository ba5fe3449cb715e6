"""The samples of a take in blocks, as numpy arrays. Holds one block at a time; measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.audio.container import Container
from worker.audio.riff import read_header
from worker.audio.take import PCM_FRAME_BYTES, Take

Block = npt.NDArray[np.float32]
"""One row a channel, full scale being 1."""


def blocks(take: Take, block_frames: int) -> Iterator[Block]:
    """All samples in order; every block but the last is `block_frames` long. Raises BadAudioError: `unreadable`, where
    a container turns out damaged in its midst; OSError: the file can't be read.
    """
    if take.container is Container.PCM:
        return _plain(take.path, 0, take.frames, take.channels, block_frames)
    header = read_header(take.path) if take.container is Container.WAV else None
    # Of plain WAVs only integer PCM has samples of two bytes; every other kind is left to libsndfile.
    if header is not None and header.frame_bytes == PCM_FRAME_BYTES * header.channels:
        return _plain(take.path, header.offset, header.frames, header.channels, block_frames)
    return _decoded(take.path, block_frames)


def _plain(path: Path, offset: int, frames: int, channels: int, block_frames: int) -> Iterator[Block]:
    """16-bit little-endian samples as they lie in the file."""
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        for start in range(0, frames, block_frames):
            count = min(block_frames, frames - start) * channels
            read = np.fromfile(file, "<i2", count).reshape(-1, channels)
            yield np.multiply(read.T, np.float32(1 / 32_768), dtype=np.float32)


def _decoded(path: Path, block_frames: int) -> Iterator[Block]:
    # soundfile takes long to import, which plain samples need not pay.
    from worker.audio.decoding import decoded_blocks  # noqa: PLC0415  (the reason is the line above)

    for block in decoded_blocks(path, block_frames):
        yield np.ascontiguousarray(block.T)
