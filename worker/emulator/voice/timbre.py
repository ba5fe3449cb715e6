"""The sound of each voice: its pitch, and harmonics that differ by vowel. Plain Python: a rehearsal loads no numpy."""

from __future__ import annotations

import math
import random
import struct
import zlib
from functools import lru_cache
from typing import Final

from api_models.registry import VOICES
from worker.emulator.voice.score import Note
from worker.emulator.voice.wav import BYTES_PER_SAMPLE, SAMPLES_PER_SECOND

SAMPLES_PER_CHARACTER: Final = SAMPLES_PER_SECOND // 15
PEAK: Final = 16_383
"""−6 dBFS."""
LEVELS: Final = 10
"""Amplitudes of an attack or a release."""
UNSTRESSED: Final = 8
"""Highest level of an unstressed syllable."""
ATTACK_PERIODS: Final = 4
GLIDE: Final = 0.08
"""How much longer the last period is than the first."""
HISS_SAMPLES: Final = 48 * SAMPLES_PER_SECOND // 1_000
HISS_SHARE: Final = 0.1

PITCHES_HZ: Final = (
    *(208, 138, 104, 186, 128, 232, 112, 198, 176, 214, 96, 118, 108, 92, 192),
    *(204, 84, 100, 226, 182, 122, 114, 168, 220, 132, 124, 190, 144, 106, 172),
)
"""Fundamental of each voice, in the registry's order."""

HARMONICS: Final = (
    (1.0, 0.9, 0.8, 0.9, 0.5),
    (1.0, 0.8, 0.5, 0.3, 0.6),
    (1.0, 0.6, 0.2, 0.1, 0.4),
    (1.0, 0.9, 0.6, 0.2, 0.1),
    (1.0, 0.5, 0.2, 0.1, 0.0),
)
"""Strengths of the first harmonics for a, e, i, o, u."""


def pitch_hz(voice: str) -> int:
    """Return a voice's fundamental; an unknown name gets one derived from its hash."""
    index = list(VOICES).index(voice) if voice in VOICES else zlib.crc32(voice.encode())
    return PITCHES_HZ[index % len(PITCHES_HZ)]


@lru_cache(maxsize=2_048)
def syllable(voice: str, note: Note) -> bytes:
    """Synthesize one note as PCM: a burst of noise for a voiceless consonant, then the vowel, whose pitch falls."""
    hiss = _hiss() if note.hiss else b""
    size = note.weight * SAMPLES_PER_CHARACTER * BYTES_PER_SAMPLE - len(hiss)
    period = SAMPLES_PER_SECOND / (pitch_hz(voice) * 2 ** (note.step / 12))
    highest = LEVELS if note.stressed else UNSTRESSED
    vowel, number = bytearray(), 0
    while len(vowel) < size:
        share, number = len(vowel) / size, number + 1
        levels = _period(round(period * (1 + GLIDE * (share - 0.5))), note.vowel)
        vowel += levels[min(highest, LEVELS * number // ATTACK_PERIODS, round(LEVELS * 2 * (1 - share)))]
    return hiss + bytes(vowel[:size])


@lru_cache(maxsize=2_048)
def _period(length: int, vowel: int) -> tuple[bytes, ...]:
    """One period of `length` samples at each level."""
    turn = 2 * math.pi / length
    wave = [
        sum(strength * math.sin(order * turn * index) for order, strength in enumerate(HARMONICS[vowel], 1))
        for index in range(length)
    ]
    scale = PEAK / LEVELS / max(map(abs, wave))
    return tuple(_pcm([sample * scale * level for sample in wave]) for level in range(LEVELS + 1))


@lru_cache(maxsize=1)
def _hiss() -> bytes:
    draw = random.Random(HISS_SAMPLES)  # noqa: S311  # repeatable on purpose
    return _pcm([draw.uniform(-PEAK, PEAK) * HISS_SHARE for _ in range(HISS_SAMPLES)])


def _pcm(samples: list[float]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *map(int, samples))
