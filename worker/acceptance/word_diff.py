"""The words rung: what a recogniser understood, against the text. Its verdict is the longest divergent run.

The likeness of the whole would not do: ten wrong seconds of a minute leave it high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from typing import Final

from worker.acceptance import numbers
from worker.acceptance.findings import (
    Finding,
    Reason,
    Recogniser,
    Rung,
    Samples,
    TakeText,
    fine,
    inconclusive,
    suspicion,
)
from worker.acceptance.tokens import Token, Tokens, tokens_of

MAX_RUN: Final = 7
"""Words that may differ in a row."""
MIN_ANCHOR: Final = 3
"""Words alike in a row that end a run."""
MIN_WORDS: Final = 4
MIN_ALIKE: Final = 0.2
"""Of the words: a recogniser that understood fewer may be the one that is wrong."""


def judge_words(samples: Samples, rate: int, text: TakeText, language: str, recogniser: Recogniser) -> Finding:
    tokens = tokens_of(text.text, language)
    wanted = [_plain(token.word) for token in tokens.tokens]
    heard = [_plain(token.word) for token in tokens_of(recogniser.transcribe(samples, rate, language), language).tokens]
    if sum(token.is_certain for token in tokens.tokens) < MIN_WORDS or not heard:
        return inconclusive(Rung.WORDS, Reason.UNSPOKEN if heard else Reason.UNSURE)
    return _compared(tokens, wanted, heard)


def _plain(word: str) -> str:
    found = numbers.readings(word)
    return "".join(found[0]) if found else "".join(filter(str.isalnum, word.casefold()))


def _compared(tokens: Tokens, wanted: list[str], heard: list[str]) -> Finding:
    blocks = SequenceMatcher(None, wanted, heard, autojunk=False).get_matching_blocks()
    alike = sum(block.size for block in blocks) / len(heard)
    longest, place = max(_runs(tokens.tokens, blocks), default=(0, 0))
    score = longest / MAX_RUN
    if longest <= MAX_RUN:
        return fine(Rung.WORDS, score)
    if alike < MIN_ALIKE:
        return inconclusive(Rung.WORDS, Reason.UNSURE, score)
    token = tokens.tokens[min(place, len(tokens.tokens) - 1)]
    return suspicion(Rung.WORDS, Reason.DIVERGENT_WORDS, score, tokens.sentence(token))


def _runs(tokens: Sequence[Token], blocks: Sequence[Match]) -> Iterator[tuple[int, int]]:
    """Each run's length, and the token that it begins at. One or two words alike by chance don't end a run."""
    begun, heard, alike = 0, 0, 0
    for block in blocks:
        # The last block is empty and stands for the end.
        if block.size >= MIN_ANCHOR or not block.size:
            yield _length(tokens[begun : block.a], block.b - heard, alike), begun
            begun, heard, alike = block.a + block.size, block.b + block.size, 0
        else:
            alike += block.size


def _length(left_out: Sequence[Token], put_in: int, alike: int) -> int:
    """Words that may be unspoken don't count as left out, nor as put in where they are spoken."""
    return max(sum(token.is_certain for token in left_out) - alike, put_in - len(left_out))
