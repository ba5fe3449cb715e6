"""Writes any take as a WAV with correct sizes in its header, in blocks; sample rate and channels are unchanged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from worker.audio.container import Container
from worker.audio.riff import WavHeader, completed_head, new_head, read_header
from worker.audio.take import PCM_CHANNELS, PCM_FRAME_BYTES, PCM_SAMPLE_RATE, Take
from worker.environment import private_files

BLOCK_BYTES: Final = 1024 * 1024
PARTIAL_SUFFIX: Final = ".part"
PCM_SAMPLE_BITS: Final = 8 * PCM_FRAME_BYTES


def as_wav(take: Take, into: Path) -> Take:
    """The take as a WAV: `take` itself if it is one, otherwise a new file that appears only when complete. Raises
    BadAudioError: the audio can't be decoded to its end; OSError: `into` can't be written.
    """
    if take.container is Container.WAV and not _is_to_be_written(take):
        return take
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        frames = _written(take, partial)
        partial.replace(into)
    finally:
        partial.unlink(missing_ok=True)
    return Take(into, Container.WAV, take.sample_rate, take.channels, frames, take.missing_frames)


def _is_to_be_written(take: Take) -> bool:
    """Whether the header has wrong sizes, which many players show as hours, or few players know its kind."""
    header = read_header(take.path)
    return header.streamed if header is not None else not _is_riff(take.path)


def _is_riff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"RIFF"


def _written(take: Take, into: Path) -> int:
    match take.container:
        case Container.WAV if (header := read_header(take.path)) is not None:
            _complete(take.path, header, into)
        case Container.PCM:
            size = take.frames * PCM_FRAME_BYTES
            head = new_head(size, sample_rate=PCM_SAMPLE_RATE, channels=PCM_CHANNELS, sample_bits=PCM_SAMPLE_BITS)
            _write_samples(take.path, 0, size, head, into)
        case _:
            # soundfile and numpy take long to import, which headerless samples and plain WAV need not pay.
            from worker.audio.decoding import decode  # noqa: PLC0415  (the reason is the line above)

            return decode(take.path, into)
    return take.frames


def _complete(path: Path, header: WavHeader, into: Path) -> None:
    size = header.frames * header.frame_bytes
    with path.open("rb") as source:
        head = completed_head(source.read(header.offset), size)
    if header.is_broken:
        head = new_head(
            size,
            sample_rate=header.sample_rate,
            channels=header.channels,
            sample_bits=header.sample_bits,
            tag=header.tag,
        )
    _write_samples(path, header.offset, size, head, into)


def _write_samples(path: Path, offset: int, size: int, head: bytes, into: Path) -> None:
    """Write `head`, `size` bytes of the source from `offset`, and RIFF's padding."""
    with path.open("rb") as source, private_files.opened(into) as target:
        source.seek(offset)
        target.write(head)
        shutil.copyfileobj(source, target, BLOCK_BYTES)
        target.truncate(len(head) + size)
        target.seek(0, os.SEEK_END)
        target.write(b"\0" * (size % 2))
