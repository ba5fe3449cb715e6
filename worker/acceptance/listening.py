"""Runs the chosen rungs on one take. Each answers by itself; what follows from the answers is decided elsewhere."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np

from worker.acceptance import features, grammar
from worker.acceptance.espeak import Espeak, cpu_seconds, find_espeak
from worker.acceptance.findings import Finding, Reason, Recogniser, Rung, Samples, TakeText, inconclusive
from worker.acceptance.language import guess
from worker.acceptance.rate import RateLine
from worker.acceptance.reference import reference
from worker.acceptance.shape import judge
from worker.acceptance.signal import judge_signal
from worker.acceptance.word_diff import judge_words
from worker.audio.resampling import resampled_samples


def listen(
    samples: Samples,
    rate: int,
    text: TakeText,
    *,
    rungs: Collection[Rung],
    rate_line: RateLine | None = None,
    recogniser: Recogniser | None = None,
    espeak: Espeak | None = None,
) -> tuple[Finding, ...]:
    """The findings of the chosen rungs, the cheapest first. `samples` is one channel, `rate` its samples a second.

    `rate_line` was learned with references of the same source as `reference` returns now.
    """
    heard = _Heard(samples, rate, text, rate_line, recogniser, espeak)
    return tuple(_timed(rung, heard) for rung in Rung if rung in rungs)


def available_rungs(*, espeak: str = "") -> dict[Rung, str]:
    """For each rung that a worker can use: nothing where it can judge in full, else what is missing. Starts and imports
    nothing. `espeak` is the program's path, as set.
    """
    missing = dict.fromkeys((Rung.SIGNAL, Rung.RATE, Rung.SHAPE), "")
    if find_espeak(espeak) is None:
        missing[Rung.RATE] = "espeak-ng not found: durations are compared with counted characters"
    missing[Rung.SHAPE] = "; ".join(_shape_lacks(espeak))
    return missing


def _shape_lacks(espeak: str) -> Iterator[str]:
    if find_spec("pocketsphinx") is None:
        yield "pocketsphinx not installed (install ttsq[listen])"
    elif find_espeak(espeak) is None:
        yield "espeak-ng not found: English alone is judged"


@dataclass(frozen=True, slots=True)
class _Heard:
    """One take, and what it is judged by."""

    samples: Samples
    rate: int
    text: TakeText
    line: RateLine | None
    recogniser: Recogniser | None
    espeak: Espeak | None

    @property
    def language(self) -> str:
        return self.text.language or guess(self.text.text)

    def at(self, rate: int) -> Samples:
        return resampled_samples(np.asarray(self.samples, np.float32), self.rate, rate)


def _timed(rung: Rung, heard: _Heard) -> Finding:
    began, called = time.thread_time(), cpu_seconds()
    found = _finding(rung, heard)
    return replace(found, seconds_spent=time.thread_time() - began + cpu_seconds() - called)


def _finding(rung: Rung, heard: _Heard) -> Finding:
    match rung:
        case Rung.SIGNAL:
            return judge_signal(heard.at(features.RATE))
        case Rung.RATE:
            return _rate(heard)
        case Rung.SHAPE:
            return _shape(heard)
        case Rung.WORDS:
            return _words(heard)


def _shape(heard: _Heard) -> Finding:
    if find_spec("pocketsphinx") is None:
        return inconclusive(Rung.SHAPE, Reason.UNAVAILABLE)
    if not heard.language:
        return inconclusive(Rung.SHAPE, Reason.UNKNOWN_LANGUAGE)
    return judge(heard.at(grammar.RATE), heard.text.text, heard.language, heard.espeak)


def _words(heard: _Heard) -> Finding:
    if heard.recogniser is None:
        return inconclusive(Rung.WORDS, Reason.UNAVAILABLE)
    return judge_words(heard.samples, heard.rate, heard.text, heard.language, heard.recogniser)


def _rate(heard: _Heard) -> Finding:
    if heard.line is None:
        return inconclusive(Rung.RATE, Reason.FEW_TAKES)
    expected = reference(heard.text.text, heard.text.language, heard.espeak)
    if expected is None:
        return inconclusive(Rung.RATE, Reason.UNSPOKEN)
    return heard.line.judge(len(heard.samples) / heard.rate, expected.seconds)
