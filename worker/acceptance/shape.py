"""The shape rung: what was said, by the grammar, against what should have been said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from worker.acceptance.espeak import Espeak, EspeakError
from worker.acceptance.findings import (
    MAX_SHAPE_SECONDS,
    MIN_SHAPE_SECONDS,
    Finding,
    Reason,
    Rung,
    Samples,
    fine,
    inconclusive,
    suspicion,
)
from worker.acceptance.grammar import (
    FRAMES_PER_SECOND,
    RATE,
    Lexicon,
    Said,
    decode,
    lexicon_of,
    phone_likelihoods,
)
from worker.acceptance.language import is_english
from worker.acceptance.tokens import Token, Tokens, tokens_of
from worker.audio.spoken import weigh

MAX_UNKNOWN_SHARE: Final = 0.1
"""Of the tokens: with more words that the dictionary doesn't have, the rung is silent."""
LETTERS_PER_SECOND: Final = 15.0
MAX_PHONES: Final = 9
"""That may be missing, or said again, in one piece: two or three words."""
MIN_CERTAIN_PHONES: Final = 25
WINDOW_FRAMES: Final = 100
OTHER_SHARE: Final = 0.5
"""Of the phones said once, below which nothing of the text is recognised."""
MIN_JUMPS: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Nats a frame by which any phones may fit the sound better than the text's do."""

    mean: float
    """Over the take."""
    window: float
    """In the worst second."""


ENGLISH: Final = Limits(mean=3.0, window=5.0)
"""Good takes have 1 and 2, another text has 5 and 7."""
FOREIGN: Final = Limits(mean=4.2, window=12.0)
"""Their sounds are mapped to English ones. Good takes have 1 to 3 and 1.5 to 5, another text has 5 and 7."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """A decoded take."""

    text: Tokens
    lexicon: Lexicon
    said: list[Said]
    unlikelihood: npt.NDArray[np.float64]
    """Of each frame of a word, in the order of the take."""

    def seconds(self, token: int) -> tuple[float, float] | None:
        heard = [one for one in self.said if one.token == token]
        return (heard[-1].start / FRAMES_PER_SECOND, heard[-1].end / FRAMES_PER_SECOND) if heard else None


def hear(samples: Samples, text: Tokens, lexicon: Lexicon) -> Hearing:
    said = decode(samples, text, lexicon)
    anything = np.concatenate(([0.0], np.cumsum(phone_likelihoods(samples))))
    parts = [
        np.full(one.end - one.start, (anything[one.end] - anything[one.start] - one.likelihood) / (one.end - one.start))
        for one in said
    ]
    return Hearing(text, lexicon, said, np.concatenate(parts) if parts else np.zeros(0))


def judge(samples: Samples, text: str, language: str, espeak: Espeak | None) -> Finding:
    """`samples` at the grammar's rate."""
    expected = weigh(text).least / LETTERS_PER_SECOND
    if max(len(samples) / RATE, expected) < MIN_SHAPE_SECONDS:
        return inconclusive(Rung.SHAPE, Reason.SHORT_TAKE)
    if len(samples) > MAX_SHAPE_SECONDS * RATE:
        return inconclusive(Rung.SHAPE, Reason.UNSURE)
    tokens = tokens_of(text, language)
    try:
        lexicon = lexicon_of(tokens.tokens, language, espeak)
    except EspeakError:
        return inconclusive(Rung.SHAPE, Reason.UNAVAILABLE)
    if lexicon.unknown > MAX_UNKNOWN_SHARE * len(tokens.tokens):
        return inconclusive(Rung.SHAPE, Reason.UNKNOWN_WORDS, lexicon.unknown / max(1, len(tokens.tokens)))
    if sum(_weights(tokens.tokens, lexicon)) < MIN_CERTAIN_PHONES:
        return inconclusive(Rung.SHAPE, Reason.UNSPOKEN)
    return _verdict(hear(samples, tokens, lexicon), ENGLISH if is_english(language) else FOREIGN)


def _weights(tokens: Sequence[Token], lexicon: Lexicon) -> list[int]:
    """The phones of each token that is spoken for certain, and known."""
    return [phones if token.is_certain else 0 for token, phones in zip(tokens, lexicon.phones, strict=True)]


def _verdict(hearing: Hearing, limits: Limits) -> Finding:
    weights = _weights(hearing.text.tokens, hearing.lexicon)
    counts = Counter(one.token for one in hearing.said)
    missing = _longest(weights, [counts[token] == 0 for token in range(len(weights))])
    repeated = _longest(weights, [counts[token] > 1 for token in range(len(weights))])
    mean = float(hearing.unlikelihood.mean()) if hearing.unlikelihood.size else limits.mean * 2
    if mean > limits.mean or _is_other(hearing, weights, counts):
        return suspicion(Rung.SHAPE, Reason.OTHER_TEXT, max(1.01, mean / limits.mean))
    if max(missing.phones, repeated.phones) > MAX_PHONES:
        return _broken(hearing, missing, repeated, counts)
    return _by_window(hearing, limits, max(missing.phones, repeated.phones) / MAX_PHONES)


def _is_other(hearing: Hearing, weights: Sequence[int], counts: Counter[int]) -> bool:
    """Whether little is said once, and that in no order."""
    once = sum(weight for token, weight in enumerate(weights) if counts[token] == 1)
    jumps = sum(two.token != one.token + 1 for one, two in zip(hearing.said, hearing.said[1:], strict=False))
    return once < OTHER_SHARE * sum(weights) and jumps >= MIN_JUMPS


def _by_window(hearing: Hearing, limits: Limits, score: float) -> Finding:
    """Whether the sound is far from the text for a second, though its words seem to be there."""
    window = min(WINDOW_FRAMES, len(hearing.unlikelihood))
    means = np.convolve(hearing.unlikelihood, np.full(window, 1 / window), "valid")
    worst = int(means.argmax())
    unlikelihood = float(means[worst]) / limits.window
    if unlikelihood <= 1:
        return fine(Rung.SHAPE, max(score, unlikelihood))
    frame = 0
    for one in hearing.said:
        frame += one.end - one.start
        if frame > worst + window // 2:
            span = (one.start / FRAMES_PER_SECOND, one.end / FRAMES_PER_SECOND)
            sentence = hearing.text.sentence(hearing.text.tokens[one.token])
            return suspicion(Rung.SHAPE, Reason.DIVERGENT_WORDS, unlikelihood, sentence, span)
    return suspicion(Rung.SHAPE, Reason.DIVERGENT_WORDS, unlikelihood)


@dataclass(frozen=True, slots=True)
class _Run:
    phones: int
    tokens: range


def _longest(weights: Sequence[int], is_bad: Sequence[bool]) -> _Run:
    """The run of bad tokens with the most phones; tokens without weight neither break it nor count."""
    best, begun, phones = _Run(0, range(0)), 0, 0
    for token, (weight, bad) in enumerate(zip(weights, is_bad, strict=True)):
        if weight and not bad:
            phones = 0
        elif weight:
            begun = begun if phones else token
            phones += weight
            best = max(best, _Run(phones, range(begun, token + 1)), key=lambda run: run.phones)
    return best


def _broken(hearing: Hearing, missing: _Run, repeated: _Run, counts: Counter[int]) -> Finding:
    run = max(missing, repeated, key=lambda one: one.phones)
    tokens = hearing.text.tokens
    sentence = _whole(hearing.text, run) or tokens[run.tokens.start].sentence
    said = hearing.text.sentences[sentence].of(hearing.text.text)
    score = run.phones / MAX_PHONES
    if run is repeated:
        span = hearing.seconds(run.tokens.start), hearing.seconds(run.tokens.stop - 1)
        times = (span[0][0], span[1][1]) if span[0] and span[1] else None
        return suspicion(Rung.SHAPE, Reason.REPEATED_SENTENCE, score, said, times)
    before = hearing.seconds(run.tokens.start - 1)
    at = (before[1], before[1]) if before else (0.0, 0.0)
    lacks = all(counts[at] == 0 for at, token in enumerate(tokens) if token.sentence == sentence and token.is_certain)
    return suspicion(Rung.SHAPE, Reason.MISSING_SENTENCE if lacks else Reason.MISSING_WORDS, score, said, at)


def _whole(text: Tokens, run: _Run) -> int | None:
    """The first sentence that lies in a run as a whole."""
    for token in run.tokens:
        number = text.tokens[token].sentence
        if all(at in run.tokens for at, one in enumerate(text.tokens) if one.sentence == number):
            return number
    return None
