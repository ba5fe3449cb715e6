"""WAV headers for the emulator's audio: 24 kHz, 16-bit little-endian, mono."""

from __future__ import annotations

import struct
from typing import Final

SAMPLES_PER_SECOND: Final = 24_000
BYTES_PER_SAMPLE: Final = 2
HEADER_BYTES: Final = 44


def header(pcm_bytes: int) -> bytes:
    rate = SAMPLES_PER_SECOND * BYTES_PER_SAMPLE
    return (
        struct.pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + pcm_bytes, b"WAVE")
        + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLES_PER_SECOND, rate, BYTES_PER_SAMPLE, 16)
        + struct.pack("<4sI", b"data", pcm_bytes)
    )


def wav(pcm: bytes) -> bytes:
    return header(len(pcm)) + pcm
