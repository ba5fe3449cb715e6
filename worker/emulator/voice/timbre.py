"""The sound of each voice: pitch, formants, brightness and breath. Synthesizes and caches one syllable at a time."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from api_models.registry import VOICES
from worker.emulator.voice.score import Note
from worker.emulator.voice.wav import SAMPLES_PER_SECOND

Samples = npt.NDArray[np.float32]

SAMPLES_PER_CHARACTER: Final = SAMPLES_PER_SECOND // 15
PEAK: Final = 0.5
"""−6 dBFS."""
TABLE_SAMPLES: Final = 1_024
"""Samples per period of a voice's waveform."""
HIGHEST_HARMONIC_HZ: Final = 5_000
REMEMBERED_SYLLABLES: Final = 2_048

PITCHES_HZ: Final = (
    *(208, 138, 104, 186, 128, 232, 112, 198, 176, 214, 96, 118, 108, 92, 192),
    *(204, 84, 100, 226, 182, 122, 114, 168, 220, 132, 124, 190, 144, 106, 172),
)
"""Fundamental of each voice, in the registry's order."""

FORMANTS_HZ: Final = (
    (760, 1_250, 2_550),
    (520, 1_850, 2_500),
    (310, 2_200, 2_950),
    (480, 900, 2_450),
    (340, 760, 2_300),
)
"""Formants of a, e, i, o, u for an adult male."""

CHARACTERS: Final = {
    "Bright": (0.7, 0.0),
    "Upbeat": (0.8, 0.0),
    "Excitable": (0.75, 0.01),
    "Forward": (0.8, 0.0),
    "Lively": (0.8, 0.01),
    "Clear": (0.85, 0.0),
    "Breezy": (1.0, 0.03),
    "Breathy": (1.3, 0.07),
    "Gravelly": (0.8, 0.06),
    "Soft": (1.4, 0.02),
    "Gentle": (1.35, 0.02),
    "Smooth": (1.25, 0.0),
    "Warm": (1.4, 0.0),
    "Mature": (1.2, 0.01),
}
"""Spectral slope (lower is brighter) and breath noise; other characters use the middle of both."""


@dataclass(frozen=True, slots=True)
class Timbre:
    """Synthesis parameters of a voice."""

    pitch_hz: float
    tract: float
    """Scales the formants: shorter vocal tracts resonate higher."""
    fall: float
    breath: float


def timbre(voice: str) -> Timbre:
    """Return a voice's parameters; an unknown name gets a pitch derived from its hash."""
    names = list(VOICES)
    index = names.index(voice) if voice in VOICES else zlib.crc32(voice.encode())
    pitch = PITCHES_HZ[index % len(PITCHES_HZ)]
    fall, breath = CHARACTERS.get(VOICES.get(voice, ""), (1.0, 0.005))
    return Timbre(pitch, 0.88 + pitch / 900, fall, breath)


@lru_cache(maxsize=REMEMBERED_SYLLABLES)
def syllable(voice: str, note: Note) -> bytes:
    """Synthesize one note as PCM."""
    sound = timbre(voice)
    count = note.weight * SAMPLES_PER_CHARACTER
    wave = _period(voice, note.vowel)[_phase(sound.pitch_hz * 2 ** (note.step / 12), count)]
    wave = (wave + sound.breath * _noise()[:count]) * _envelope(count, delay_ms=35 if note.hiss else 0)
    if note.hiss:
        _add_hiss(wave)
    level = PEAK * (1.0 if note.stressed else 0.8) / float(np.abs(wave).max())
    return (wave * (level * 32_767)).astype("<i2").tobytes()


@lru_cache(maxsize=len(FORMANTS_HZ) * len(VOICES))
def _period(voice: str, vowel: int) -> Samples:
    """One period of the waveform: decaying harmonics, raised at the formants."""
    sound = timbre(voice)
    order = np.arange(1, int(HIGHEST_HARMONIC_HZ / sound.pitch_hz))
    frequency = order * sound.pitch_hz / sound.tract
    gain = sum(
        strength / (1 + ((frequency - centre) / width) ** 2)
        for centre, width, strength in zip(FORMANTS_HZ[vowel], (90, 120, 180), (1.0, 0.5, 0.25), strict=True)
    )
    spectrum = np.zeros(TABLE_SAMPLES // 2 + 1, dtype=complex)
    # Phases growing with the square of the order spread the energy over the period: round, not clicking.
    spectrum[order] = (gain + 0.02) * order ** (-sound.fall / 2) * np.exp(-1j * np.pi * order**2 / len(order))
    wave: Samples = np.fft.irfft(spectrum).astype(np.float32)
    wave /= np.abs(wave).max()
    return wave


def _phase(pitch_hz: float, count: int) -> npt.NDArray[np.intp]:
    """Table index per sample, for a pitch that falls by a semitone with slight vibrato."""
    time = np.arange(count, dtype=np.float32) / SAMPLES_PER_SECOND
    bend = 1.02 - 0.05 * np.linspace(0, 1, count, dtype=np.float32) + 0.006 * np.sin(2 * np.pi * 5.5 * time)
    turns = np.cumsum(bend * (pitch_hz / SAMPLES_PER_SECOND), dtype=np.float64)
    return (turns * TABLE_SAMPLES).astype(np.intp) % TABLE_SAMPLES


def _envelope(count: int, *, delay_ms: int) -> Samples:
    """Amplitude over a syllable: soft attack, slow release, zero at both ends."""
    samples_per_ms = SAMPLES_PER_SECOND // 1_000
    start = min(delay_ms * samples_per_ms, count // 3)
    rise = min(18 * samples_per_ms, (count - start) // 3)
    fall = (count - start - rise) * 2 // 3
    envelope = np.ones(count, dtype=np.float32)
    envelope[:start] = 0
    envelope[start : start + rise] = np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    envelope[count - fall :] = 1 - np.linspace(0, 1, fall, dtype=np.float32) ** 2
    return envelope


def _add_hiss(wave: Samples) -> None:
    count = min(48 * SAMPLES_PER_SECOND // 1_000, len(wave))
    shape = np.sin(np.linspace(0, np.pi, count, dtype=np.float32)) ** 2
    noise = np.diff(_noise()[: count + 1])
    wave[:count] += 0.10 * shape * noise


@lru_cache(maxsize=1)
def _noise() -> Samples:
    return np.random.default_rng(24_000).standard_normal(SAMPLES_PER_SECOND).astype(np.float32)
