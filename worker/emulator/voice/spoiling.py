"""Takes that are wrong by what they say: another text is spoken, or the speech is changed. In plain Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from worker.emulator.faults import Take
from worker.emulator.voice.wav import BYTES_PER_SAMPLE, SAMPLES_PER_SECOND

OTHER_TEXT: Final = "The orchard behind the mill was planted by two brothers, and the older one kept bees."
OTHER_LANGUAGE: Final = "Der Bäcker öffnet seinen Laden, bevor die Sonne aufgeht, und sein Bruder schläft noch."
SILENCE_SECONDS: Final = 3
CLIPPED_SECONDS: Final = 0.8
PIECE_SECONDS: Final = 0.2
DULLING_SAMPLES: Final = 16
_SENTENCE: Final = re.compile(r"[^.!?…。！？।\n]+[.!?…。！？।]*\s*")


def spoiled_text(take: Take, text: str) -> str:
    """What is spoken instead; the text itself for takes that aren't wrong by their text."""
    change = _TEXTS.get(take)
    if change is None:
        return text
    sentences = [one for one in _SENTENCE.findall(text) if one.strip()] or [text]
    return "".join(change(sentences, len(sentences) // 2)) or text


def spoiled_pcm(take: Take, pcm: bytes) -> bytes:
    change = _SOUNDS.get(take)
    return pcm if change is None else change(pcm)


def _half(sentence: str) -> str:
    words = sentence.split()
    return " ".join(words[: (len(words) + 1) // 2]) + ". "


def _swapped(sentence: str) -> str:
    words = sentence.split()
    if len(words) > 3:
        words[1], words[-2] = words[-2], words[1]
    return " ".join(words) + " "


_TEXTS: Final[Mapping[Take, Callable[[Sequence[str], int], list[str]]]] = {
    Take.SENTENCE_MISSING: lambda all_, at: [*all_[:at], *all_[at + 1 :]],
    Take.HALF_MISSING: lambda all_, at: [*all_[:at], _half(all_[at]), *all_[at + 1 :]],
    Take.SENTENCE_REPEATED: lambda all_, at: [*all_[: at + 1], " ", *all_[at:]],
    Take.WORDS_SWAPPED: lambda all_, at: [*all_[:at], _swapped(all_[at]), *all_[at + 1 :]],
    Take.OTHER_TEXT: lambda all_, _: [OTHER_TEXT + " "] * -(-len("".join(all_)) // len(OTHER_TEXT)),
    Take.OTHER_LANGUAGE: lambda all_, _: [OTHER_LANGUAGE + " "] * -(-len("".join(all_)) // len(OTHER_LANGUAGE)),
}


def _bytes(seconds: float) -> int:
    return int(seconds * SAMPLES_PER_SECOND) * BYTES_PER_SAMPLE


def _with_silence(pcm: bytes) -> bytes:
    middle = len(pcm) // 2 // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
    return pcm[:middle] + bytes(_bytes(SILENCE_SECONDS)) + pcm[middle:]


def _drifting(pcm: bytes) -> bytes:
    """Dull from the middle on: each sample is the mean of those before it."""
    samples = memoryview(pcm).cast("h")
    middle, total = len(samples) // 2, 0
    made = list(samples[:middle])
    for at in range(middle, len(samples)):
        total += samples[at] - (samples[at - DULLING_SAMPLES] if at - DULLING_SAMPLES >= middle else 0)
        made.append(total // DULLING_SAMPLES)
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in made)


def _babble(pcm: bytes) -> bytes:
    """From the middle on, pieces in another order."""
    middle, piece = len(pcm) // 2 // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE, _bytes(PIECE_SECONDS)
    pieces = [pcm[start : start + piece] for start in range(middle, len(pcm), piece)]
    return pcm[:middle] + b"".join([*pieces[1::3], *pieces[::3], *pieces[2::3]])


_SOUNDS: Final[Mapping[Take, Callable[[bytes], bytes]]] = {
    Take.SILENCE_INSERTED: _with_silence,
    Take.DRIFTING: _drifting,
    Take.BABBLE: _babble,
    Take.CLIPPED_START: lambda pcm: pcm[_bytes(CLIPPED_SECONDS) :],
}
