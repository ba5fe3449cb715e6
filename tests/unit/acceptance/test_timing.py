"""Word times: where they are, where they came from, and which words have none."""

from __future__ import annotations

import itertools

import numpy as np

from tests.speech.voice import PAUSE, RATE, sentence, take
from worker.acceptance.espeak import Espeak
from worker.acceptance.findings import TimeSource
from worker.acceptance.timing import word_times

FIRST = "The ferry leaves the small harbour at half past seven."
SECOND = "No one had told the gardener about the locked gate."


def test_words_are_aligned_and_in_their_places(espeak: Espeak) -> None:
    text = f"{FIRST} {SECOND}"
    found = word_times(take(espeak, (FIRST, SECOND)), RATE, text, "en")
    assert [text[one.char_start : one.char_end] for one in found] == [one.word for one in found]
    assert len(found) == len(text.split())
    assert {one.source for one in found} == {TimeSource.ALIGNMENT}
    assert all(one.start < one.end <= two.start for one, two in itertools.pairwise(found))
    second = (len(sentence(espeak, FIRST)) + len(PAUSE)) / RATE
    assert abs(found[10].start - second) < 0.15


def test_a_direction_has_no_times(espeak: Espeak) -> None:
    text = f"[whispers] {FIRST}"
    found = word_times(take(espeak, (FIRST,)), RATE, text, "en")
    assert found[0].word == "The"
    assert found[0].char_start == text.index("The")


def test_other_languages_are_aligned_by_mapped_sounds(espeak: Espeak) -> None:
    text = "Die Fähre verlässt den kleinen Hafen um halb acht."
    found = word_times(take(espeak, (text,), "de"), RATE, text, "de", espeak)
    assert [one.word for one in found] == text.rstrip(".").split()
    assert {one.source for one in found} == {TimeSource.MAPPED}


def test_the_last_resort_divides_the_speech_by_letters(espeak: Espeak) -> None:
    text = "Ang ferry ay umalis."
    found = word_times(np.concatenate((PAUSE, PAUSE, take(espeak, (FIRST,)))), RATE, text)
    assert [one.word for one in found] == ["Ang", "ferry", "ay", "umalis"]
    assert {one.source for one in found} == {TimeSource.ACTIVITY}
    assert found[0].start >= 0.4


def test_nothing_is_said_in_silence() -> None:
    assert word_times(np.zeros(RATE, np.float32), RATE, "Ang ferry.") == ()
    assert word_times(np.zeros(RATE, np.float32), RATE, "") == ()
