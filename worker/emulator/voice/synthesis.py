"""Speech-like audio: no words, but voice, rhythm and melody derived from the text, and always equal for equal input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from worker.emulator.voice.score import Note, Rest, score, turns
from worker.emulator.voice.timbre import syllable
from worker.emulator.voice.wav import BYTES_PER_SAMPLE, HEADER_BYTES, SAMPLES_PER_SECOND

EDGE_MS: Final = 40
"""Silence before the first and after the last syllable."""
REMEMBERED_TAKES: Final = 64
HUM: Final = Note(vowel=4, hiss=False, weight=5, step=0, stressed=True)
"""Played for a text without anything to speak."""
FILLER: Final = "A short sentence, said again and again to fill a file of any size."


@dataclass(frozen=True, slots=True)
class Utterance:
    text: str
    voice_1: str
    voice_2: str | None = None
    tags: bool = False
    """Whether inline tags control the voice instead of being read aloud."""


@lru_cache(maxsize=REMEMBERED_TAKES)
def speak(utterance: Utterance) -> bytes:
    spoken = turns(utterance.text, two_speakers=utterance.voice_2 is not None, tags=utterance.tags)
    events = [(speaker, event) for speaker, words in spoken for event in score(words)]
    if not any(isinstance(event, Note) for _, event in events):
        events = [(0, HUM)]
    voices = (utterance.voice_1, utterance.voice_2 or utterance.voice_1)
    edge = _silence(EDGE_MS)
    return b"".join([edge, *(_sound(voices[speaker], event) for speaker, event in events), edge])


@lru_cache(maxsize=4)
def filler(file_bytes: int) -> bytes:
    """Return PCM for a WAV of exactly `file_bytes`."""
    wanted = file_bytes - HEADER_BYTES
    phrase = speak(Utterance(FILLER, "Kore"))
    return (phrase * (wanted // len(phrase) + 1))[:wanted]


def _sound(voice: str, event: Note | Rest) -> bytes:
    return _silence(event.milliseconds) if isinstance(event, Rest) else syllable(voice, event)


def _silence(milliseconds: int) -> bytes:
    return bytes(milliseconds * SAMPLES_PER_SECOND // 1_000 * BYTES_PER_SAMPLE)
