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
    """Synthesize one note as PCM: a burst of noise for a voiceless consonant, then the vowel."""
    hiss = _hiss() if note.hiss else b""
    size = note.weight * SAMPLES_PER_CHARACTER * BYTES_PER_SAMPLE - len(hiss)
    periods = _periods(pitch_hz(voice), note.vowel, note.step)
    count = size // len(periods[0]) + 1
    highest = LEVELS if note.stressed else UNSTRESSED
    return hiss + b"".join(periods[min(highest, _level(index, count))] for index in range(count))[:size]


def _level(index: int, count: int) -> int:
    """Rise within `ATTACK_PERIODS`, fall over the second half, end in silence."""
    return min(LEVELS * (index + 1) // ATTACK_PERIODS, 2 * LEVELS * (count - 1 - index) // count)


@lru_cache(maxsize=2_048)
def _periods(pitch: int, vowel: int, step: int) -> tuple[bytes, ...]:
    """One period of the waveform at each level."""
    length = round(SAMPLES_PER_SECOND / (pitch * 2 ** (step / 12)))
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
