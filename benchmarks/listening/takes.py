"""Makes takes of paragraphs from spoken sentences, and spoils them. Every choice follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from benchmarks.listening.programs import Programs
from benchmarks.listening.sentences import SENTENCES
from benchmarks.listening.voices import RATE, VOICES, Clip, Voice, speak
from worker.acceptance.findings import Samples

SPEEDS: Final = (0.85, 1.0, 1.2)
"""Of durations: a larger one is slower."""
SENTENCES_A_TAKE: Final = (2, 3)
LEARNED_SENTENCES: Final = 8
FOREIGN_SENTENCES: Final = 6
PAUSES_SECONDS: Final = (0.1, 0.5)


class Fault(StrEnum):
    GOOD = "good"
    CUT_90 = "cut at 90 %"
    CUT_75 = "cut at 75 %"
    CUT_50 = "cut at 50 %"
    MISSING = "sentence missing"
    HALF_MISSING = "half a sentence missing"
    REPEATED = "sentence repeated"
    SWAPPED = "words swapped"
    OTHER_TEXT = "other text"
    OTHER_LANGUAGE = "other language"
    SILENCE = "silence inserted"
    DRIFT = "drift"
    BABBLE = "babble"
    CLIPPED_START = "clipped start"


@dataclass(frozen=True, slots=True)
class Made:
    """One take of the test set."""

    voice: Voice
    speed: float
    fault: Fault
    sentences: tuple[str, ...]
    spoiled: int
    """The sentence that the fault is at."""
    samples: Samples

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


class Clips:
    """Spoken sentences by voice and speed; each is spoken once."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._clips: dict[tuple[Voice, float, str], Clip | None] = {}

    def prepare(self, voice: Voice, speed: float, texts: Sequence[str]) -> None:
        wanted = [text for text in dict.fromkeys(texts) if (voice, speed, text) not in self._clips]
        if not wanted:
            return
        for text, clip in zip(wanted, speak(self._programs, voice, wanted, speed), strict=True):
            self._clips[voice, speed, text] = clip

    def get(self, voice: Voice, speed: float, text: str) -> Clip | None:
        return self._clips.get((voice, speed, text))


def halves(sentence: str) -> tuple[str, str]:
    words = sentence.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def swapped(sentence: str) -> str:
    """Two words of its midst in each other's place."""
    words = sentence.split()
    one, other = len(words) // 2 - 1, len(words) // 2 + 1
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def pool(language: str, *, held_out: bool) -> list[str]:
    known = SENTENCES[language]
    middle = len(known) // 2
    return known[middle:] if held_out else known[:middle]


def made(clips: Clips, rounds: int, good: int, seed: int) -> Iterator[Made]:
    """In each round a paragraph of every held-out voice at one speed, good and with every fault, and `good` more good
    ones. Rounds are balanced, so that a run may end after any.
    """
    for number in range(rounds):
        for voice in (one for one in VOICES if one.is_held_out):
            speaker = _Speaker(clips, voice, SPEEDS[number % len(SPEEDS)], random.Random(f"{seed} {number} {voice}"))
            yield from speaker.takes(tuple(Fault))
            for _ in range(good):
                yield from speaker.takes((Fault.GOOD,))


def learned(clips: Clips, voice: Voice, speed: float, count: int) -> Iterator[tuple[str, float]]:
    """Good takes' texts and seconds, of paragraphs that are the same for all voices of a language."""
    known = pool(voice.language, held_out=voice.is_held_out)[:LEARNED_SENTENCES]
    clips.prepare(voice, speed, known)
    odds = random.Random(f"learned {voice.language}")
    for _ in range(count):
        chosen = odds.sample(known, odds.randint(*SENTENCES_A_TAKE))
        spoken = [clip.samples for text in chosen if (clip := clips.get(voice, speed, text)) is not None]
        if len(spoken) == len(chosen):
            yield " ".join(chosen), len(joined(spoken, odds)) / RATE


@dataclass(frozen=True, slots=True)
class _Speaker:
    clips: Clips
    voice: Voice
    speed: float
    odds: random.Random

    def takes(self, faults: Sequence[Fault]) -> Iterator[Made]:
        chosen = tuple(self.odds.sample(self._sentences, self.odds.randint(*SENTENCES_A_TAKE)))
        planned = [
            (fault, spoiled := self.odds.randrange(len(chosen)), self._said(chosen, spoiled, fault)) for fault in faults
        ]
        self.clips.prepare(self.voice, self.speed, [text for _, _, said in planned for text in said])
        for fault, spoiled, said in planned:
            samples = self._spoken(said, fault)
            if samples is not None:
                yield Made(self.voice, self.speed, fault, chosen, spoiled, samples)

    @property
    def _sentences(self) -> list[str]:
        return pool(self.voice.language, held_out=self.voice.is_held_out)

    def _spoken(self, said: Sequence[str], fault: Fault) -> Samples | None:
        if fault is Fault.OTHER_LANGUAGE:
            clips = self._foreign(len(said))
        else:
            clips = [self.clips.get(self.voice, self.speed, text) for text in said]
        sounds = [clip.samples for clip in clips if clip is not None]
        if not sounds or len(sounds) < len(clips):
            return None
        samples = joined(sounds, self.odds)
        alter = _ALTERED.get(fault)
        return samples if alter is None else alter(samples, self.odds)

    def _said(self, chosen: Sequence[str], spoiled: int, fault: Fault) -> Sequence[str]:
        if fault is Fault.OTHER_TEXT:
            unused = [text for text in self._sentences if text not in chosen]
            return self.odds.sample(unused, min(len(chosen), len(unused)))
        change = _SAID.get(fault)
        return chosen if change is None else change(list(chosen), spoiled)

    def _foreign(self, count: int) -> list[Clip | None]:
        """Sentences of another language, by a voice that speaks it."""
        other = next(one for one in VOICES if one.language == ("it" if self.voice.language == "en" else "en"))
        texts = self.odds.sample(pool(other.language, held_out=False)[:FOREIGN_SENTENCES], count)
        self.clips.prepare(other, 1.0, texts)
        return [self.clips.get(other, 1.0, text) for text in texts]


def joined(sounds: Sequence[Samples], odds: random.Random) -> Samples:
    pieces: list[Samples] = []
    for sound in sounds:
        pieces += [sound, np.zeros(int(odds.uniform(*PAUSES_SECONDS) * RATE), np.float32)]
    return np.concatenate(pieces[:-1])


_SAID: Final[Mapping[Fault, Callable[[list[str], int], list[str]]]] = {
    Fault.MISSING: lambda texts, at: texts[:at] + texts[at + 1 :],
    Fault.HALF_MISSING: lambda texts, at: [*texts[:at], halves(texts[at])[0], *texts[at + 1 :]],
    Fault.REPEATED: lambda texts, at: [*texts[: at + 1], *texts[at:]],
    Fault.SWAPPED: lambda texts, at: [*texts[:at], swapped(texts[at]), *texts[at + 1 :]],
}


def _cut(share: float) -> Callable[[Samples, random.Random], Samples]:
    return lambda samples, _: samples[: int(len(samples) * share)]


def _silence(samples: Samples, odds: random.Random) -> Samples:
    at = int(len(samples) * odds.uniform(0.2, 0.8))
    return np.concatenate((samples[:at], np.zeros(3 * RATE, np.float32), samples[at:]))


def _drift(samples: Samples, _: random.Random) -> Samples:
    """The voice behind a pillow, more and more from the middle on."""
    block = RATE // 10
    made_of = []
    for start in range(0, len(samples), block):
        part = samples[start : start + block].copy()
        depth = max(0.0, (start / len(samples) - 0.4) / 0.6)
        spectrum = np.fft.rfft(part)
        hertz = np.fft.rfftfreq(len(part), 1 / RATE)
        spectrum *= 10 ** (-30 * depth * np.clip((hertz - 500) / 2500, 0, 1) / 20)
        made_of.append(np.fft.irfft(spectrum, len(part)).astype(np.float32))
    return np.concatenate(made_of)


def _babble(samples: Samples, odds: random.Random) -> Samples:
    """From the middle on, pieces of 0.2 s in any order."""
    middle, piece = len(samples) // 2, RATE // 5
    pieces = [samples[start : start + piece] for start in range(middle, len(samples), piece)]
    odds.shuffle(pieces)
    return np.concatenate([samples[:middle], *pieces])


def _clipped(samples: Samples, odds: random.Random) -> Samples:
    return samples[int(odds.uniform(0.7, 1.1) * RATE) :]


_ALTERED: Final[Mapping[Fault, Callable[[Samples, random.Random], Samples]]] = {
    Fault.CUT_90: _cut(0.9),
    Fault.CUT_75: _cut(0.75),
    Fault.CUT_50: _cut(0.5),
    Fault.SILENCE: _silence,
    Fault.DRIFT: _drift,
    Fault.BABBLE: _babble,
    Fault.CLIPPED_START: _clipped,
}
