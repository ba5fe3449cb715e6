"""Decodes English speech with a grammar of the take's text: a sentence may be left out or said again, at a price.

The answer is which words were said, when, and how much better any phones at all fit the sound. Needs pocketsphinx.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from worker.acceptance import numbers
from worker.acceptance.espeak import Espeak, EspeakError
from worker.acceptance.findings import Samples
from worker.acceptance.language import is_english
from worker.acceptance.phones import phones_of
from worker.acceptance.pronunciation import guessed, pronunciations, spelled
from worker.acceptance.tokens import Token, Tokens

if TYPE_CHECKING:
    from pocketsphinx import Decoder

RATE: Final = 16_000
FRAMES_PER_SECOND: Final = 100
JUMP: Final = 1e-40
"""The price of leaving a sentence's end for another sentence than the next; about 0.2 s of wrong sound."""
SKIP: Final = 1e-60
"""The price of leaving a sentence in its midst."""
LATE: Final = 1e-60
OPTIONAL: Final = 0.5
LATE_TOKENS: Final = 12
"""The first words that a take may begin after."""
BEAMS: Final = {"beam": 1e-200, "wbeam": 1e-180, "pbeam": 1e-200, "lw": 1.0, "wip": 1.0, "pip": 1.0}
PHONE_BEAMS: Final = {"beam": 1e-60, "pbeam": 1e-60, "lw": 1.0, "pip": 0.1}
DITHER: Final = 3e-4
"""Of full scale, -70 dB."""
SCORE_UNIT: Final = 1_024.0
"""pocketsphinx drops ten bits of its logarithms."""


@dataclass(frozen=True, slots=True)
class Said:
    """One word of the text as it was heard."""

    token: int
    start: int
    """Frames of 10 ms."""
    end: int
    """Of the frame after the last."""
    likelihood: float
    """Logarithm, of its sound."""


@dataclass(slots=True)
class Lexicon:
    """The pronunciations of a text's tokens, each under a name of its own."""

    paths: list[list[list[str]]] = field(default_factory=list)
    """For each token the ways to say it; each is a list of names."""
    phones: list[int] = field(default_factory=list)
    """For each token how many phones it has; 0 where it has no sure pronunciation."""
    unknown: int = 0
    entries: list[str] = field(default_factory=list)

    def add(self, token: Token, foreign: str = "") -> None:
        """`foreign` is the token's pronunciation by other means than the English dictionary."""
        at = len(self.paths)
        ways: list[list[tuple[str, ...]]] = [[(foreign,)]] if foreign else _ways(token.word)
        self.unknown += not ways
        is_sure = bool(ways) and not any(map(str.isdigit, token.word)) and not (numbers.readings(token.word))
        self.phones.append(len(ways[0][0][0].split()) if is_sure else 0)
        ways = ways or [[(guessed(token.word) or "AH",)]]
        self.paths.append([self._named(f"w{at}_{way}", words) for way, words in enumerate(ways)])

    def _named(self, prefix: str, words: Sequence[tuple[str, ...]]) -> list[str]:
        names = []
        for number, sounds in enumerate(words):
            name = f"{prefix}_{number}"
            names.append(name)
            self.entries += [f"{name}({at + 1}) {one}" if at else f"{name} {one}" for at, one in enumerate(sounds)]
        return names


def _ways(word: str) -> list[list[tuple[str, ...]]]:
    """Each way a list of words, each word its pronunciations; none where a word is unknown."""
    if found := numbers.readings(word):
        return [sounds for way in found if all(sounds := [pronunciations(one) or _letter(one) for one in way])]
    known = pronunciations(word)
    ways = [[known]] if known else []
    if word.isupper() and 1 < len(word) < 7 and (letters := spelled(word)):
        ways.append([(letters,)])
    return ways


def _letter(word: str) -> tuple[str, ...]:
    return (spelled(word),) if len(word) == 1 and spelled(word) else ()


def lexicon_of(tokens: Sequence[Token], language: str, espeak: Espeak | None) -> Lexicon:
    """Raises EspeakError: the language isn't English, and espeak-ng is missing or doesn't speak it."""
    if is_english(language):
        return english_lexicon(tokens, espeak)
    if espeak is None:
        raise EspeakError("espeak-ng isn't installed")
    return foreign_lexicon(tokens, language, espeak)


def english_lexicon(tokens: Sequence[Token], espeak: Espeak | None) -> Lexicon:
    """By the dictionary; what it doesn't know by espeak-ng, where that is installed."""
    made = Lexicon()
    unknown = list(dict.fromkeys(token.word for token in tokens if not _ways(token.word)))
    foreign = dict(zip(unknown, _foreign(unknown, "en", espeak), strict=True)) if unknown else {}
    for token in tokens:
        made.add(token, foreign.get(token.word, ""))
    return made


def foreign_lexicon(tokens: Sequence[Token], language: str, espeak: Espeak) -> Lexicon:
    """Raises EspeakError."""
    made = Lexicon()
    for token, phones in zip(tokens, phones_of([token.word for token in tokens], language, espeak), strict=True):
        made.add(token, phones or "AH")
    return made


def _foreign(words: Sequence[str], language: str, espeak: Espeak | None) -> list[str]:
    try:
        return phones_of(words, language, espeak) if espeak is not None else [""] * len(words)
    except EspeakError:
        return [""] * len(words)


class Grammar:
    """A finite-state grammar: token n leads from state n to n + 1, and a hub leads to every sentence."""

    def __init__(self, text: Tokens, lexicon: Lexicon) -> None:
        self._tokens, self._lexicon = text.tokens, lexicon
        self._states = len(text.tokens) + 2
        self._hub = len(text.tokens) + 1

    def arcs(self) -> list[tuple[Any, ...]]:
        return [*self._words(), *self._jumps(), *self._optional()]

    @property
    def states(self) -> int:
        """After `arcs`."""
        return self._states

    @property
    def last(self) -> int:
        return len(self._tokens)

    def _words(self) -> Iterator[tuple[Any, ...]]:
        for at, ways in enumerate(self._lexicon.paths):
            for names in ways:
                state = at
                for number, name in enumerate(names):
                    following = at + 1 if number == len(names) - 1 else self._new_state()
                    yield (state, following, 1.0, name)
                    state = following

    def _new_state(self) -> int:
        self._states += 1
        return self._states - 1

    def _jumps(self) -> Iterator[tuple[Any, ...]]:
        starts = [at for at in range(self.last) if at == 0 or self._sentence(at) != self._sentence(at - 1)]
        ends = {*starts[1:], self.last}
        for state in range(1, self.last + 1):
            yield (state, self._hub, JUMP if state in ends else SKIP)
        for state in (*starts, self.last):
            yield (self._hub, state, 1.0)
        for state in range(1, min(LATE_TOKENS, self.last)):
            yield (0, state, LATE)

    def _optional(self) -> Iterator[tuple[Any, ...]]:
        """Past each run of words that may be unspoken, and past each sentence's part of it."""
        begun: int | None = None
        for at in range(self.last + 1):
            certain = at == self.last or self._tokens[at].is_certain
            if not certain and begun is None:
                begun = at
            elif certain and begun is not None:
                yield (begun, at, OPTIONAL)
                begun = None

    def _sentence(self, at: int) -> int:
        return self._tokens[at].sentence


def decode(samples: Samples, text: Tokens, lexicon: Lexicon) -> list[Said]:
    """The words that were said, in their order. `samples` are at `RATE`."""
    decoder = _decoder(lexicon.entries)
    grammar = Grammar(text, lexicon)
    arcs = grammar.arcs()
    decoder.add_fsg("text", decoder.create_fsg("text", 0, grammar.last, [*arcs]))
    decoder.activate_search("text")
    _feed(decoder, samples)
    said: list[Said] = []
    for segment in decoder.seg() or ():
        name, _, number = segment.word.partition("(")[0].rpartition("_")
        if name.startswith("w"):
            token = int(name[1:].partition("_")[0])
            likelihood = _logarithm(segment.ascore)
            start, end = segment.start_frame, segment.end_frame + 1
            if number != "0" and said and said[-1].token == token:
                start, likelihood = said[-1].start, said[-1].likelihood + likelihood
                said.pop()
            said.append(Said(token, start, end, likelihood))
    return said


def phone_likelihoods(samples: Samples) -> npt.NDArray[np.float64]:
    """The logarithm of each frame's likelihood, with any phones in any order."""
    decoder = _decoder(["nothing AH"], PHONE_BEAMS)
    decoder.add_allphone_file("phones", None)
    decoder.activate_search("phones")
    _feed(decoder, samples)
    frames = np.zeros(len(samples) * FRAMES_PER_SECOND // RATE + 8)
    for segment in decoder.seg() or ():
        count = segment.end_frame - segment.start_frame + 1
        frames[segment.start_frame : segment.end_frame + 1] = _logarithm(segment.ascore) / count
    return frames


def _decoder(entries: Sequence[str], beams: dict[str, float] = BEAMS) -> Decoder:
    """One of its own for each take: 8 ms, and nothing of one take reaches the next."""
    from pocketsphinx import Decoder  # noqa: PLC0415  (an extra, and slow to import)

    descriptor, name = tempfile.mkstemp(suffix=".dict")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(entries) + "\n")
        return Decoder(lm=None, loglevel="FATAL", dict=name, bestpath=False, **beams)
    finally:
        Path(name).unlink()


def _feed(decoder: Decoder, samples: Samples) -> None:
    # Digital silence has no logarithm: its frames would spoil the mean that the others are compared with.
    noise = np.random.default_rng(len(samples)).normal(0, DITHER, len(samples))
    pcm = np.clip((samples + noise) * 32_767, -32_768, 32_767).astype("<i2")
    decoder.start_utt()
    decoder.process_raw(pcm.tobytes(), full_utt=True)
    decoder.end_utt()


def _logarithm(score: float) -> float:
    return math.log(max(score, 1e-300)) * SCORE_UNIT
