"""The header of a plain WAV, read in microseconds without any audio library. Samples are never touched here."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.audio.errors import BadAudio, BadAudioError

HEAD_BYTES: Final = 4096
MAX_CHUNKS: Final = 64
"""Chunks looked at before the samples; a real file has fewer than ten."""
STREAMED_FROM_BYTES: Final = 0x7FFF_0000
"""A size that was never filled in: writers to a pipe leave 0, 2³¹ or 2³² less a little, or all bits set."""

_PLAIN_FORMATS: Final = {1: (8, 16, 24, 32), 3: (32, 64), 6: (8,), 7: (8,)}
"""Integer PCM, float, A-law and µ-law, by the bits a sample can have: frames are bytes by width."""
_EXTENSIBLE: Final = 0xFFFE
_NOT_SAMPLES: Final = frozenset({b"LIST", b"id3 ", b"ID3 ", b"JUNK", b"fact", b"cue ", b"bext", b"PAD "})


@dataclass(frozen=True, slots=True)
class WavHeader:
    """Where the samples of a plain WAV lie, and what they are."""

    sample_rate: int
    channels: int
    frame_bytes: int
    offset: int
    """Of the first sample, in bytes from the beginning."""
    size: int
    """Bytes of samples present."""
    streamed: bool
    """The header's own sizes are wrong, because its writer didn't know them yet."""

    @property
    def frames(self) -> int:
        """Whole frames present."""
        return self.size // self.frame_bytes


def read_header(path: Path) -> WavHeader | None:
    """The header of a little-endian WAV with plain samples; None for kinds of WAV that need a library.

    Raises:
        BadAudioError: `unreadable` without a usable format or data chunk, `cut_off` where bytes are missing.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return header_of(file, os.pread(file, HEAD_BYTES, 0), os.fstat(file).st_size)
    finally:
        os.close(file)


def header_of(file: int, head: bytes, file_size: int) -> WavHeader | None:
    """As `read_header`, for an open file whose first bytes, `HEAD_BYTES` of them or all, are known."""
    if not head.startswith(b"RIFF"):
        return None
    position, form = 12, b""
    for _ in range(MAX_CHUNKS):
        name, size = _chunk_at(file, head, position)
        if name == b"data":
            return _header(form, position + 8, size, file_size, _bytes_at(file, head, position + 8, 4))
        if name == b"fmt ":
            form = _bytes_at(file, head, position + 8, min(size, 40))
        position += 8 + size + size % 2
    raise BadAudioError(BadAudio.UNREADABLE, f"a WAV without samples among its first {MAX_CHUNKS} chunks")


def new_head(size: int, *, sample_rate: int, channels: int, sample_bits: int) -> bytes:
    """The 44 bytes before `size` bytes of integer samples."""
    frame_bytes = channels * sample_bits // 8
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, sample_bits)
    return completed_head(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0", size)


def completed_head(head: bytes, size: int) -> bytes:
    """All that stands before the samples, with the sizes that its writer left open filled in."""
    whole = len(head) - 8 + size + size % 2
    return head[:4] + whole.to_bytes(4, "little") + head[8:-4] + size.to_bytes(4, "little")


def _chunk_at(file: int, head: bytes, position: int) -> tuple[bytes, int]:
    chunk = _bytes_at(file, head, position, 8)
    if len(chunk) < 8:
        raise BadAudioError(BadAudio.UNREADABLE, "a WAV that ends before its samples begin")
    return chunk[:4], int.from_bytes(chunk[4:], "little")


def _bytes_at(file: int, head: bytes, position: int, count: int) -> bytes:
    return head[position : position + count] if position + count <= len(head) else os.pread(file, count, position)


def _header(form: bytes, offset: int, promised: int, file_size: int, first: bytes) -> WavHeader | None:
    if len(form) < 16:
        raise BadAudioError(BadAudio.UNREADABLE, "a WAV without a format before its samples")
    tag, channels, sample_rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    if bits not in _PLAIN_FORMATS.get(tag, ()):
        return None
    if not channels or not sample_rate or frame_bytes != channels * bits // 8:
        raise BadAudioError(BadAudio.UNREADABLE, f"a WAV of {channels} channel(s), {sample_rate} Hz, {bits} bits")
    present = file_size - offset
    streamed = promised >= STREAMED_FROM_BYTES > present or (
        promised == 0 and present > 0 and first not in _NOT_SAMPLES
    )
    if not streamed and promised > present:
        raise BadAudioError(BadAudio.CUT_OFF, f"a WAV with {present:,} of the {promised:,} bytes of sound it promises")
    return WavHeader(sample_rate, channels, frame_bytes, offset, present if streamed else promised, streamed)
