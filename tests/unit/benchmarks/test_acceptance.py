"""The test set of takes and its figures: what each fault changes, and how sure a share is."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.acceptance import interval
from benchmarks.listening.sentences import SENTENCES
from benchmarks.listening.takes import halves, joined, pool, swapped
from benchmarks.listening.voices import RATE, VOICES


def test_tuning_and_held_out_share_no_sentence_and_no_voice() -> None:
    for language in SENTENCES:
        assert not set(pool(language, held_out=True)) & set(pool(language, held_out=False))
    tuned, held_out = ({str(voice) for voice in VOICES if voice.is_held_out is one} for one in (False, True))
    assert not tuned & held_out


def test_sentences_are_spoiled_where_they_should_be() -> None:
    sentence = "The lamp above the door flickers."
    assert " ".join(halves(sentence)) == sentence
    assert swapped(sentence) != sentence
    assert sorted(swapped(sentence).split()) == sorted(sentence.split())
    assert all(len(swapped(one)) == len(one) for texts in SENTENCES.values() for one in texts)


def test_sentences_are_joined_with_pauses() -> None:
    sounds = [np.full(RATE, 0.5, np.float32)] * 3
    made = joined(sounds, random.Random(1))
    assert 3.2 * RATE <= len(made) <= 4 * RATE


@pytest.mark.parametrize(("hits", "count", "low", "high"), [(0, 800, 0.0, 0.0048), (50, 100, 0.404, 0.596)])
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert interval(hits, count) == pytest.approx((low, high), abs=0.001)
    assert all(interval(one, 50) < interval(two, 50) for one, two in pairwise(range(51)))
