"""When each word of a text is spoken. Doesn't judge what is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Final

import numpy as np

from worker.acceptance import features, grammar
from worker.acceptance.espeak import Espeak, EspeakError
from worker.acceptance.findings import MAX_SHAPE_SECONDS, Samples, TimeSource, WordTime
from worker.acceptance.language import guess, is_english
from worker.acceptance.shape import ENGLISH, FOREIGN, Hearing, hear
from worker.acceptance.tokens import Token, Tokens, tokens_of
from worker.audio.resampling import resampled_samples

MIN_HEARD_SHARE: Final = 0.5
"""Of the certain words; with fewer, the alignment isn't believed."""
ACTIVITY_CONFIDENCE: Final = 0.2
MAPPED_CONFIDENCE: Final = 0.8
"""At the most."""


def word_times(
    samples: Samples, rate: int, text: str, language: str = "", espeak: Espeak | None = None
) -> tuple[WordTime, ...]:
    """The words that are spoken, in the order of the text. `samples` is one channel. Words that the take leaves out, or
    that may be unspoken and are, have no time.
    """
    spoken = language or guess(text)
    tokens = tokens_of(text, spoken)
    sound = np.asarray(samples, np.float32)
    aligned = _aligned(resampled_samples(sound, rate, grammar.RATE), tokens, spoken, espeak)
    return aligned or tuple(_by_activity(resampled_samples(sound, rate, features.RATE), tokens))


def _aligned(samples: Samples, tokens: Tokens, language: str, espeak: Espeak | None) -> tuple[WordTime, ...]:
    if not language or not tokens.tokens or find_spec("pocketsphinx") is None:
        return ()
    if len(samples) > MAX_SHAPE_SECONDS * grammar.RATE:
        return ()
    try:
        lexicon = grammar.lexicon_of(tokens.tokens, language, espeak)
    except EspeakError:
        return ()
    hearing = hear(samples, tokens, lexicon)
    times = tuple(_heard(hearing, is_native=is_english(language)))
    wanted = sum(token.is_certain for token in tokens.tokens)
    return times if len(times) >= max(1, MIN_HEARD_SHARE * wanted) else ()


def _heard(hearing: Hearing, *, is_native: bool) -> Iterator[WordTime]:
    limit, frame = (ENGLISH if is_native else FOREIGN).window, 0
    found: dict[int, WordTime] = {}
    for one in hearing.said:
        unlikelihood = float(hearing.unlikelihood[frame])
        frame += one.end - one.start
        confidence = min(1.0, max(0.0, 1 - max(0.0, unlikelihood) / limit / 2)) * (
            1 if is_native else MAPPED_CONFIDENCE
        )
        source = TimeSource.ALIGNMENT if is_native else TimeSource.MAPPED
        start, end = (at / grammar.FRAMES_PER_SECOND for at in (one.start, one.end))
        token = hearing.text.tokens[one.token]
        found[one.token] = _time(token, start, end, source, round(confidence, 3))
    yield from (found[token] for token in sorted(found))


def _by_activity(samples: Samples, tokens: Tokens) -> Iterator[WordTime]:
    """In proportion to letters, over the frames with speech."""
    words = [token for token in tokens.tokens if token.is_certain] or list(tokens.tokens)
    places = np.flatnonzero(features.is_speech(features.powers_db(samples)))
    if not words or not len(places):
        return
    edges = _edges(words) * (len(places) - 1)
    at = [float(places[int(edge)]) / features.FRAMES_PER_SECOND for edge in edges]
    for token, start, end in zip(words, at, at[1:], strict=False):
        yield _time(token, start, max(start, end), TimeSource.ACTIVITY, ACTIVITY_CONFIDENCE)


def _edges(words: Sequence[Token]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Where each word begins and the last ends, as shares of the speech."""
    lengths = np.cumsum([0, *(len(token.word) + 1 for token in words)])
    return np.asarray(lengths / lengths[-1], np.float64)


def _time(token: Token, start: float, end: float, source: TimeSource, confidence: float) -> WordTime:
    return WordTime(token.word, start, end, token.start, token.end, source, confidence)
