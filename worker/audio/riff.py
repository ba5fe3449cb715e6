"""The header of a plain WAV, read in microseconds without any audio library. Samples are never touched here."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from worker.audio.errors import BadAudio, BadAudioError

HEAD_BYTES: Final = 4096
MAX_TRAILER_SHARE: Final = 0.1
"""Of all bytes from the first sample on. More than that after the samples, and in no chunk, belongs to them."""
MAX_CHUNKS: Final = 64
"""Chunks looked at before the samples; a real file has fewer than ten."""
STREAMED_FROM_BYTES: Final = 0x7FFF_0000
"""A size that was never filled in: writers to a pipe leave 0, 2³¹ or 2³² less a little, or all bits set."""

_PLAIN_FORMATS: Final = {1: (8, 16, 24, 32), 3: (32, 64), 6: (8,), 7: (8,)}
"""Integer PCM, float, A-law and µ-law, by the bits a sample can have: frames are bytes by width."""
FLOAT_TAG: Final = 3
_EXTENSIBLE: Final = 0xFFFE
_CHUNK_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_ -]{3}")
_NOT_SAMPLES: Final = frozenset({b"LIST", b"id3 ", b"ID3 ", b"JUNK", b"fact", b"cue ", b"bext", b"PAD "})


@dataclass(frozen=True, slots=True)
class WavHeader:
    """Where the samples of a plain WAV lie, and what they are."""

    sample_rate: int
    channels: int
    frame_bytes: int
    sample_bits: int
    tag: int
    """What a sample is: 1 an integer, 3 a float, 6 A-law, 7 µ-law."""
    offset: int
    """Of the first sample, in bytes from the beginning."""
    size: int
    """Bytes of samples present."""
    streamed: bool
    """The header's sizes, of the file or the samples, are wrong: its writer didn't know them yet, or reckoned badly."""
    missing: int = 0
    """Bytes that the header promises beyond those present; 0 where it never knew."""
    is_broken: bool = False
    """What stands before the samples can't be followed from chunk to chunk."""

    @property
    def frames(self) -> int:
        return self.size // self.frame_bytes


def read_header(path: Path) -> WavHeader | None:
    """The header of a little-endian WAV with plain samples; None for kinds of WAV that need a library. Raises
    BadAudioError: `unreadable` without a usable format or data chunk.
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
    try:
        form, position = _walked(file, head)
        is_broken = False
    except BadAudioError:
        form, position = _searched(head)
        is_broken = True
    promised = int.from_bytes(_bytes_at(file, head, position + 4, 4), "little")
    size = _size(file, head, position + 8, promised, file_size)
    if not position + promised <= int.from_bytes(head[4:8], "little") <= file_size:
        size = size._replace(wrong=True)
    header = _header(form, position + 8, size)
    return replace(header, streamed=True, is_broken=True) if header is not None and is_broken else header


def new_head(size: int, *, sample_rate: int, channels: int, sample_bits: int, tag: int = 1) -> bytes:
    """The 44 bytes before `size` bytes of samples; integers unless `tag` says otherwise."""
    frame_bytes = channels * sample_bits // 8
    form = struct.pack("<HHIIHH", tag, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, sample_bits)
    return completed_head(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0", size)


def completed_head(head: bytes, size: int) -> bytes:
    """All that stands before the samples, with the sizes that its writer left open filled in."""
    whole = len(head) - 8 + size + size % 2
    return head[:4] + whole.to_bytes(4, "little") + head[8:-4] + size.to_bytes(4, "little")


def _searched(head: bytes) -> tuple[bytes, int]:
    """As `_walked`, where a chunk before the samples has a wrong size, or lacks its padding."""
    form = head.find(b"fmt ", 12)
    data = head.find(b"data", form + 24)
    if form < 0 or not 0 < data <= len(head) - 8:
        raise BadAudioError(BadAudio.UNREADABLE, "a WAV that ends before its samples begin")
    return head[form + 8 : form + 48], data


def _walked(file: int, head: bytes) -> tuple[bytes, int]:
    """The format, and where the chunk of samples begins."""
    position, form = 12, b""
    for _ in range(MAX_CHUNKS):
        name, size = _chunk_at(file, head, position)
        if name == b"data":
            return form, position
        if name == b"fmt ":
            form = _bytes_at(file, head, position + 8, min(size, 40))
        position += 8 + size + size % 2
    raise BadAudioError(BadAudio.UNREADABLE, f"a WAV without samples among its first {MAX_CHUNKS} chunks")


class _Size(NamedTuple):
    """Bytes of samples: present, wrong in the header, and missing."""

    present: int
    wrong: bool
    missing: int


def _size(file: int, head: bytes, offset: int, promised: int, file_size: int) -> _Size:
    present = file_size - offset
    if promised >= STREAMED_FROM_BYTES > present:
        return _Size(present, wrong=True, missing=0)
    if promised > present:
        return _Size(present, wrong=True, missing=promised - present)
    if present - promised > present * MAX_TRAILER_SHARE and not _is_chunk(file, head, offset + promised, file_size):
        return _Size(present, wrong=True, missing=0)
    return _Size(promised, wrong=False, missing=0)


def _is_chunk(file: int, head: bytes, position: int, file_size: int) -> bool:
    """Whether a chunk begins here, padded or not, that ends within the file."""
    for at in (position, position + position % 2):
        chunk = _bytes_at(file, head, at, 8)
        size = int.from_bytes(chunk[4:], "little")
        if chunk[:4] in _NOT_SAMPLES or (_CHUNK_NAME.fullmatch(chunk[:4]) and at + 8 + size <= file_size):
            return True
    return False


def _chunk_at(file: int, head: bytes, position: int) -> tuple[bytes, int]:
    chunk = _bytes_at(file, head, position, 8)
    if len(chunk) < 8:
        raise BadAudioError(BadAudio.UNREADABLE, "a WAV that ends before its samples begin")
    return chunk[:4], int.from_bytes(chunk[4:], "little")


def _bytes_at(file: int, head: bytes, position: int, count: int) -> bytes:
    return head[position : position + count] if position + count <= len(head) else os.pread(file, count, position)


def _header(form: bytes, offset: int, size: _Size) -> WavHeader | None:
    if len(form) < 16:
        raise BadAudioError(BadAudio.UNREADABLE, "a WAV without a format before its samples")
    tag, channels, sample_rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    if bits not in _PLAIN_FORMATS.get(tag, ()):
        return None
    if not channels or not sample_rate:
        raise BadAudioError(BadAudio.UNREADABLE, f"a WAV of {channels} channel(s), {sample_rate} Hz, {bits} bits")
    if frame_bytes != channels * bits // 8 and bits == 24:
        return None  # 24 bits may lie in four bytes
    width = channels * bits // 8
    return WavHeader(sample_rate, channels, width, bits, tag, offset, size.present, size.wrong, size.missing)
