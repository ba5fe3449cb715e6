"""The shape rung hears what is missing, said twice or another text, and names the sentence."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speech.voice import RATE, take
from worker.acceptance.espeak import Espeak
from worker.acceptance.findings import Finding, Reason, Rung, Samples, TakeText
from worker.acceptance.listening import available_rungs, listen

ENGLISH = (
    "The ferry leaves the small harbour at half past seven.",
    "No one had told the gardener about the locked gate.",
    "She poured the coffee slowly and looked out at the rain.",
)
OTHER = (
    "A thin layer of snow covered the roofs of the village.",
    "The museum is closed on public holidays.",
    "Wild geese crossed the valley in a long uneven line.",
)
GERMAN = (
    "Die Fähre verlässt den kleinen Hafen um halb acht.",
    "Niemand hatte dem Gärtner von dem Tor erzählt.",
    "Im Museum sind am Montag alle Türen geschlossen.",
)


def _shape(samples: Samples, text: str, espeak: Espeak | None, language: str = "") -> Finding:
    (found,) = listen(samples, RATE, TakeText(text, language), rungs={Rung.SHAPE}, espeak=espeak)
    return found


def test_a_good_take_is_fine(espeak: Espeak) -> None:
    found = _shape(take(espeak, ENGLISH), " ".join(ENGLISH), None)
    assert (found.suspicious, found.reason) == (False, Reason.FINE)
    assert found.score < 1
    assert found.seconds_spent > 0


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_missing_sentence_is_named(espeak: Espeak, lost: int) -> None:
    said = [text for at, text in enumerate(ENGLISH) if at != lost]
    found = _shape(take(espeak, said), " ".join(ENGLISH), None)
    assert (found.suspicious, found.reason, found.sentence) == (True, Reason.MISSING_SENTENCE, ENGLISH[lost])


def test_a_repeated_sentence_is_named_with_its_place(espeak: Espeak) -> None:
    before = len(take(espeak, ENGLISH[:2])) / RATE
    found = _shape(take(espeak, [*ENGLISH[:2], *ENGLISH[1:]]), " ".join(ENGLISH), None)
    assert (found.suspicious, found.reason, found.sentence) == (True, Reason.REPEATED_SENTENCE, ENGLISH[1])
    assert found.start_seconds is not None
    assert abs(found.start_seconds - before) < 0.3


def test_a_cut_take_names_the_sentence_that_breaks_off(espeak: Espeak) -> None:
    whole = take(espeak, ENGLISH)
    found = _shape(whole[: int(0.8 * len(whole))], " ".join(ENGLISH), None)
    assert (found.suspicious, found.reason, found.sentence) == (True, Reason.MISSING_WORDS, ENGLISH[2])


def test_another_text_is_recognised_as_such(espeak: Espeak) -> None:
    found = _shape(take(espeak, OTHER), " ".join(ENGLISH), None)
    assert (found.suspicious, found.reason) == (True, Reason.OTHER_TEXT)


def test_other_languages_are_judged_with_the_sounds_of_espeak(espeak: Espeak) -> None:
    text = " ".join(GERMAN)
    assert _shape(take(espeak, GERMAN, "de"), text, espeak).suspicious is False
    found = _shape(take(espeak, [GERMAN[0], GERMAN[2]], "de"), text, espeak)
    assert (found.reason, found.sentence) == (Reason.MISSING_SENTENCE, GERMAN[1])
    assert _shape(take(espeak, OTHER), text, espeak).suspicious is True


def test_numbers_may_be_read_in_any_usual_way(espeak: Espeak) -> None:
    """The year is said as a number, the price in words."""
    said = (
        "In nineteen ninety eight the old house near the harbour was sold.",
        "It cost three hundred and fifty thousand dollars.",
    )
    text = "In 1998 the old house near the harbour was sold. It cost $350,000."
    assert _shape(take(espeak, said), text, None).suspicious is False


@pytest.mark.parametrize(
    ("samples", "text", "language", "reason"),
    [
        (np.zeros(2 * RATE, np.float32), "Hello there.", "en", Reason.SHORT_TAKE),
        (np.zeros(5 * RATE, np.float32), "Zxqv brrgh wmplf drontheimski.", "en", Reason.UNKNOWN_WORDS),
        (np.zeros(181 * RATE, np.float32), "Hello there.", "en", Reason.UNSURE),
        (np.zeros(5 * RATE, np.float32), "…", "en", Reason.UNSPOKEN),
        (np.zeros(5 * RATE, np.float32), "Ang aso ay tumakbo.", "", Reason.UNKNOWN_LANGUAGE),
        (np.zeros(5 * RATE, np.float32), "Der Hund lief über die Straße.", "de", Reason.UNAVAILABLE),
    ],
)
def test_what_cannot_be_judged_is_inconclusive(samples: Samples, text: str, language: str, reason: Reason) -> None:
    found = _shape(samples, text, None, language)
    assert (found.suspicious, found.reason) == (None, reason)


def test_silence_and_noise_are_another_text() -> None:
    noise = np.random.default_rng(3).normal(0, 0.05, 6 * RATE).astype(np.float32)
    for samples in (np.zeros(6 * RATE, np.float32), noise):
        assert _shape(samples, " ".join(ENGLISH), None, "en").suspicious is True


def test_rungs_report_what_they_lack(espeak: Espeak) -> None:
    found = available_rungs(espeak="/nowhere/espeak-ng")
    assert found[Rung.SIGNAL] == ""
    assert "espeak-ng" in found[Rung.SHAPE]
    assert available_rungs(espeak=espeak.program)[Rung.SHAPE] == ""
