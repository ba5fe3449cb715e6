"""The line of durations: learned robustly, silent while it knows too little."""

from __future__ import annotations

import random

import pytest

from worker.acceptance.findings import Reason
from worker.acceptance.rate import MIN_TAKES, learn
from worker.acceptance.reference import ReferenceSource, reference


def _pairs(count: int, spread: float = 0.02) -> list[tuple[float, float]]:
    odds = random.Random(7)
    references = [odds.uniform(2.0, 30.0) for _ in range(count)]
    return [(one, (0.4 + 1.2 * one) * odds.gauss(1.0, spread)) for one in references]


def test_a_line_is_found_among_bad_takes() -> None:
    """One take in ten is half as long as it should be."""
    pairs = [(one, seconds * (0.5 if at % 10 == 0 else 1.0)) for at, (one, seconds) in enumerate(_pairs(200))]
    line = learn(pairs)
    assert line is not None
    assert line.expected(10.0) == pytest.approx(12.4, rel=0.03)


@pytest.mark.parametrize(
    ("seconds", "suspicious", "reason"),
    [(12.4, False, Reason.FINE), (9.0, True, Reason.TOO_SHORT), (15.5, True, Reason.TOO_LONG)],
)
def test_a_take_far_from_the_line_is_suspicious(seconds: float, suspicious: bool, reason: Reason) -> None:
    line = learn(_pairs(60))
    assert line is not None
    found = line.judge(seconds, 10.0)
    assert (found.suspicious, found.reason) == (suspicious, reason)
    assert (found.score > 1) is suspicious


def test_no_verdict_before_thirty_takes() -> None:
    line = learn(_pairs(MIN_TAKES - 1))
    assert line is not None
    assert line.judge(1.0, 20.0).reason is Reason.FEW_TAKES


def test_no_verdict_on_a_short_take_whose_text_is_short() -> None:
    """A take of 2 s for a text of 10 s is judged all the same: what is short there is the take alone."""
    line = learn(_pairs(60))
    assert line is not None
    assert line.judge(1.0, 1.5).suspicious is None
    assert line.judge(2.0, 10.0).suspicious is True


def test_a_line_of_wild_takes_judges_nothing() -> None:
    line = learn(_pairs(60, spread=0.3))
    assert line is not None
    assert line.judge(30.0, 10.0).reason is Reason.UNSURE


def test_nothing_is_learned_from_nothing() -> None:
    assert learn([]) is None
    assert learn([(0.0, 3.0), (2.0, 0.0)]) is None


def test_without_espeak_the_reference_counts_characters() -> None:
    found = reference("The shop on the corner opens at nine in the morning.", "en", None)
    assert found is not None
    assert found.source is ReferenceSource.CHARACTERS
    assert 2.5 < found.seconds < 5.0


def test_a_text_with_directions_has_no_reference() -> None:
    assert reference("Speak slowly and warmly.\n\nTranscript: Hello there.", "en", None) is None
