"""What the rungs are given and what they answer. Holds no rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""One channel, full scale being 1."""


class Rung(StrEnum):
    """One way of judging a take, from the cheapest to the dearest."""

    SIGNAL = "signal"
    """The sound alone: drift from the first third to the last, clicks."""
    RATE = "rate"
    """The duration, against a line learned from accepted takes of the same model, voice and language."""
    SHAPE = "shape"
    """The order of sounds, against the text's own: a grammar for English, a warp elsewhere."""
    WORDS = "words"
    """What a recogniser understands, against the text."""


class Reason(StrEnum):
    """Why a finding is suspicious, or why it is inconclusive; the same from release to release."""

    MISSING_SENTENCE = "missing_sentence"
    MISSING_WORDS = "missing_words"
    """Part of a sentence, or the end of the text."""
    REPEATED_SENTENCE = "repeated_sentence"
    OTHER_TEXT = "other_text"
    DIVERGENT_WORDS = "divergent_words"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    DRIFT = "drift"
    CLICKS = "clicks"
    FINE = "fine"
    """Nothing against it."""
    SHORT_TAKE = "short_take"
    """Inconclusive: too short to be judged."""
    FEW_TAKES = "few_takes"
    """Inconclusive: the line has too few takes yet."""
    UNKNOWN_WORDS = "unknown_words"
    """Inconclusive: too many words without a pronunciation."""
    UNKNOWN_LANGUAGE = "unknown_language"
    UNAVAILABLE = "unavailable"
    """Inconclusive: what the rung needs isn't installed."""
    UNSURE = "unsure"
    """Inconclusive: measured, and between right and wrong."""
    UNSPOKEN = "unspoken"
    """Inconclusive: too little of the text is certain to be spoken."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rung's answer about one take."""

    rung: Rung
    suspicious: bool | None
    """None where the rung can't say."""
    reason: Reason
    score: float
    """The measure that was compared; its unit is the rung's. 1 is the threshold: more is suspicious."""
    sentence: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    seconds_spent: float = 0.0
    """CPU time of this process and of the programs it called."""


def fine(rung: Rung, score: float) -> Finding:
    return Finding(rung, suspicious=False, reason=Reason.FINE, score=score)


def suspicion(
    rung: Rung, reason: Reason, score: float, sentence: str | None = None, span: tuple[float, float] | None = None
) -> Finding:
    """`span` is where in the take, in seconds."""
    start, end = span or (None, None)
    return Finding(rung, True, reason, score, sentence, start, end)  # noqa: FBT003  (the second field of a finding)


def inconclusive(rung: Rung, reason: Reason, score: float = 0.0) -> Finding:
    return Finding(rung, suspicious=None, reason=reason, score=score)


@dataclass(frozen=True, slots=True)
class TakeText:
    """What a take should say."""

    text: str
    language: str = ""
    """BCP 47; empty where unknown, which is then guessed from the text."""
    model: str = ""
    voice: str = ""


class TimeSource(StrEnum):
    """How a word's time was found, from the most exact."""

    ALIGNMENT = "alignment"
    """Forced alignment by acoustic models, with the sounds of the language itself."""
    MAPPED = "mapped"
    """The same with the nearest sounds of another language."""
    ACTIVITY = "activity"
    """In proportion to letters, over the stretches in which there is speech."""


@dataclass(frozen=True, slots=True)
class WordTime:
    """When one word is spoken, and where it stands in the text."""

    word: str
    start: float
    """Seconds from the start of the take."""
    end: float
    char_start: int
    char_end: int
    source: TimeSource
    confidence: float
    """0 to 1."""


class Recogniser(Protocol):
    """A speech recogniser that the operator supplies."""

    def transcribe(self, samples: Samples, rate: int, language: str) -> str: ...


MIN_RATE_SECONDS: Final = 3.0
"""Shorter takes get no verdict by their rate: the silence around them weighs too much."""
MIN_SHAPE_SECONDS: Final = 4.0
MAX_SHAPE_SECONDS: Final = 180.0
"""The cost of a second grows with the text: 0.05 s of CPU at 10 s, 0.07 s at a minute."""
