"""The words rung compares what a recogniser understood with the text, by the longest divergent run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from worker.acceptance.findings import Finding, Reason, Rung, Samples, TakeText
from worker.acceptance.listening import listen

TEXT = (
    "The ferry leaves the small harbour at half past seven. No one had told the 12 gardeners about the locked gate. "
    "She poured the coffee slowly and looked out at the rain."
)
SECOND = "No one had told the 12 gardeners about the locked gate."


@dataclass(frozen=True)
class Understood:
    """A recogniser that always understands the same."""

    words: str

    def transcribe(self, samples: Samples, rate: int, language: str) -> str:
        assert rate == 16_000
        assert language == "en"
        return self.words if len(samples) else ""


def _words(understood: str, text: str = TEXT) -> Finding:
    samples = np.zeros(16_000, np.float32)
    (found,) = listen(samples, 16_000, TakeText(text, "en"), rungs={Rung.WORDS}, recogniser=Understood(understood))
    return found


def test_case_signs_and_numbers_do_not_differ() -> None:
    found = _words(TEXT.lower().replace(".", "").replace("12", "twelve"))
    assert (found.suspicious, found.score) == (False, 0.0)


def test_a_few_misheard_words_are_fine() -> None:
    assert _words(TEXT.replace("the small harbour", "this mall harper")).suspicious is False


@pytest.mark.parametrize(
    "understood",
    [
        TEXT.replace(SECOND, ""),
        TEXT.replace(SECOND, "and then the radio played an old song about two brothers"),
        TEXT.replace(SECOND, f"{SECOND} {SECOND}"),
    ],
)
def test_a_long_divergent_run_is_suspicious(understood: str) -> None:
    found = _words(understood)
    assert (found.suspicious, found.reason) == (True, Reason.DIVERGENT_WORDS)
    assert found.sentence is not None


def test_a_recogniser_that_understands_nothing_is_not_believed() -> None:
    assert _words("").suspicious is None
    assert _words("la la la la la la la la la la la la la").reason is Reason.UNSURE


def test_directions_may_be_left_out_or_read() -> None:
    text = f"Style: calm and slow, like a night nurse who has all the time there is.\n\n{TEXT}"
    assert _words(TEXT, text).suspicious is False
    assert _words(text, text).suspicious is False
