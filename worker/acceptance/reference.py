"""How long a text takes in a voice that is always the same: what a take's duration is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from worker.acceptance.espeak import Espeak, EspeakError
from worker.acceptance.language import guess
from worker.audio.directions import certain
from worker.audio.spoken import weigh

CHARACTERS_PER_SECOND: Final = 15.0
MIN_CERTAIN_SHARE: Final = 0.98
"""Of the letters: with fewer, parts of the text may be directions, and no duration is expected."""


class ReferenceSource(StrEnum):
    """Lines learned from one must not judge by the other."""

    ESPEAK = "espeak"
    CHARACTERS = "characters"


@dataclass(frozen=True, slots=True)
class Reference:
    seconds: float
    source: ReferenceSource


def reference(text: str, language: str = "", espeak: Espeak | None = None) -> Reference | None:
    """The reference duration; None where parts of the text may be unspoken, so that no one duration is right."""
    if not is_certain(text):
        return None
    spoken = language or guess(text)
    if espeak is not None and spoken:
        try:
            return Reference(espeak.speak(text, spoken).seconds, ReferenceSource.ESPEAK)
        except EspeakError:
            pass
    weight = weigh(text)
    return Reference((weight.least + weight.most) / 2 / CHARACTERS_PER_SECOND, ReferenceSource.CHARACTERS)


def is_certain(text: str) -> bool:
    """Whether all of the text is spoken, whatever the voice takes for a direction."""
    letters = sum(map(str.isalnum, text))
    return sum(map(str.isalnum, certain(text))) >= MIN_CERTAIN_SHARE * letters
