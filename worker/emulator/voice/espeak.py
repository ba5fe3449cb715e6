"""Speaks words instead of tones, by the program espeak-ng, so that a rehearsal can be listened to."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Final

from worker.acceptance.espeak import Espeak, EspeakError, find_espeak, voice_of
from worker.acceptance.language import guess
from worker.audio.resampling import resampled_samples
from worker.emulator.errors import NoVoiceError
from worker.emulator.voice.score import turns
from worker.emulator.voice.synthesis import REMEMBERED_TAKES, Utterance
from worker.emulator.voice.synthesis import speak as speak_tones
from worker.emulator.voice.timbre import pitch_hz
from worker.emulator.voice.wav import SAMPLES_PER_SECOND

VARIANTS: Final = 4
"""Of women and of men, each, that come with the program."""
WOMAN_HZ: Final = 160
"""Pitch from which on a voice is a woman's."""


def program() -> Espeak:
    """Raises NoVoiceError: espeak-ng isn't on PATH."""
    found = find_espeak()
    if found is None:
        raise NoVoiceError
    return found


@lru_cache(maxsize=REMEMBERED_TAKES)
def speak(utterance: Utterance) -> bytes:
    """PCM as the tones are. A text in which the program finds no word is hummed."""
    espeak = program()
    spoken = turns(utterance.text, two_speakers=utterance.voice_2 is not None, tags=utterance.tags)
    voices = (utterance.voice_1, utterance.voice_2 or utterance.voice_1)
    language = guess(utterance.text)
    parts = [_said(espeak, words, language, voices[speaker]) for speaker, words in spoken if words.strip()]
    return b"".join(parts) or speak_tones(utterance)


def _said(espeak: Espeak, words: str, language: str, voice: str) -> bytes:
    try:
        spoken = espeak.speak(words, language, voice=f"{voice_of(language)}+{_variant(voice)}")
    except EspeakError:
        return b""
    samples = resampled_samples(spoken.samples, spoken.rate, SAMPLES_PER_SECOND)
    return (samples.clip(-1, 1) * 32_767).astype("<i2").tobytes()


def _variant(voice: str) -> str:
    number = 1 + zlib.crc32(voice.encode()) % VARIANTS
    return f"f{number}" if pitch_hz(voice) >= WOMAN_HZ else f"m{number}"
