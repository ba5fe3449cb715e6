"""The signal rung hears a voice that goes dull and clicks, and leaves ordinary takes alone."""

from __future__ import annotations

import numpy as np

from tests.speech.voice import RATE, take
from worker.acceptance.espeak import Espeak
from worker.acceptance.findings import Reason, Samples
from worker.acceptance.signal import judge_signal

TEXTS = (
    "The ferry leaves the small harbour at half past seven.",
    "No one had told the gardener about the locked gate.",
    "She poured the coffee slowly and looked out at the rain.",
) * 4


def _dulled(samples: Samples) -> Samples:
    """The last half behind a pillow."""
    middle = len(samples) // 2
    dull = np.convolve(samples[middle:], np.full(24, 1 / 24), "same")
    return np.concatenate((samples[:middle], dull)).astype(np.float32)


def test_an_even_voice_is_fine(espeak: Espeak) -> None:
    assert judge_signal(take(espeak, TEXTS)).suspicious is False


def test_a_voice_that_goes_dull_is_drift(espeak: Espeak) -> None:
    found = judge_signal(_dulled(take(espeak, TEXTS)))
    assert (found.suspicious, found.reason) == (True, Reason.DRIFT)
    assert found.start_seconds is not None


def test_clicks_are_heard(espeak: Espeak) -> None:
    samples = take(espeak, TEXTS).copy()
    for at in range(1, 5):
        samples[at * len(samples) // 6] = 0.9
    assert judge_signal(samples).reason is Reason.CLICKS


def test_a_short_take_has_no_verdict(espeak: Espeak) -> None:
    assert judge_signal(take(espeak, TEXTS[:1])).suspicious is None
    assert judge_signal(np.zeros(8 * RATE, np.float32)).suspicious is None
