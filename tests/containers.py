"""Audio in every container that a worker may be answered with, and the same damaged at random, mostly in its header."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import soundfile

RATE: Final = 24_000
KINDS: Final = {
    "wav": ("WAV", "PCM_16"),
    "wav, 8 bits": ("WAV", "PCM_U8"),
    "wav, 24 bits": ("WAV", "PCM_24"),
    "wav, 32 bits": ("WAV", "PCM_32"),
    "wav, float": ("WAV", "FLOAT"),
    "wav, double": ("WAV", "DOUBLE"),
    "wav, µ-law": ("WAV", "ULAW"),
    "wav, A-law": ("WAV", "ALAW"),
    "wav, IMA ADPCM": ("WAV", "IMA_ADPCM"),
    "wav, MS ADPCM": ("WAV", "MS_ADPCM"),
    "wav, extensible": ("WAVEX", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "flac, 24 bits": ("FLAC", "PCM_24"),
    "ogg vorbis": ("OGG", "VORBIS"),
    "ogg opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
}
SECONDS: Final = 2.0
HEADER_BYTES: Final = 96
NUMBERS: Final = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2_000_000_000)


class Damaged(NamedTuple):
    """One answer."""

    kind: str
    content: bytes


def wave(amplitude: float = 0.3) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A wavering tone that ends in silence."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    sound = amplitude * np.sin(2 * np.pi * 220 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    sound[-RATE // 5 :] = 0
    return sound


@cache
def container(kind: str, *, amplitude: float = 0.3) -> bytes:
    """The tone in this container, undamaged."""
    form, subtype = KINDS[kind]
    target = io.BytesIO()
    soundfile.write(target, wave(amplitude), RATE, format=form, subtype=subtype)
    return target.getvalue()


def damaged(count: int, seed: int) -> Iterator[Damaged]:
    """`count` answers, the kinds in turn; deterministic per seed."""
    rng = random.Random(seed)
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        content = bytearray(container(kind))
        if kind in {"wav, float", "wav, double"} and rng.random() < 0.3:
            content = bytearray(container(kind, amplitude=10 ** rng.uniform(-1, 37)))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            content = rng.choice(CHANGES)(content, rng)
        yield Damaged(kind, bytes(content))


def _position(content: bytearray, rng: random.Random) -> int:
    most = HEADER_BYTES if rng.random() < 0.8 else len(content)
    return rng.randrange(max(1, min(most, len(content))))


def _byte(content: bytearray, rng: random.Random) -> bytearray:
    if content:
        content[_position(content, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return content


def _number(content: bytearray, rng: random.Random) -> bytearray:
    at, size = _position(content, rng) & ~1, rng.choice((2, 4, 8))
    number = rng.choice((*NUMBERS, rng.getrandbits(32))) & ((1 << 8 * size) - 1)
    content[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
    return content


def _cut(content: bytearray, rng: random.Random) -> bytearray:
    return content[: rng.randrange(len(content) + 1)]


def _insert(content: bytearray, rng: random.Random) -> bytearray:
    at = _position(content, rng)
    content[at:at] = rng.randbytes(rng.choice((1, 2, 4, 36, 1000)))
    return content


def _delete(content: bytearray, rng: random.Random) -> bytearray:
    at = _position(content, rng)
    del content[at : at + rng.choice((1, 2, 4, 44))]
    return content


def _run(content: bytearray, rng: random.Random) -> bytearray:
    at, size = _position(content, rng), rng.choice((4, 16, 200, 5000))
    content[at : at + size] = bytes([rng.choice((0, 0xFF, 0x7F))]) * min(size, len(content) - at)
    return content


CHANGES: Final = (_byte, _byte, _number, _number, _number, _cut, _insert, _delete, _run)
