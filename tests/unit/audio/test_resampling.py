"""Resampling: level, frequency and length are kept at every pair of rates, in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest

from api_models.encodings import SAMPLE_RATES
from worker.audio.resampling import resampled
from worker.audio.samples import Block

SECONDS = 2


def tone(rate: int, hertz: float = 400.0) -> Block:
    time = np.arange(rate * SECONDS) / rate
    return np.asarray([0.5 * np.sin(2 * np.pi * hertz * time), 0.25 * np.cos(2 * np.pi * hertz * time)], np.float32)


@pytest.mark.parametrize("source", [24_000, 44_100, 8_000, 22_051])
@pytest.mark.parametrize("target", SAMPLE_RATES)
def test_the_sound_is_the_same_at_another_rate(source: int, target: int) -> None:
    """Compared with the same tone made at that rate, away from the edges."""
    wave = tone(source)
    made = np.concatenate(list(resampled([wave[:, :5_000], wave[:, 5_000:5_001], wave[:, 5_001:]], source, target)), 1)
    expected = tone(target)
    assert abs(made.shape[1] - expected.shape[1]) <= 1
    middle = slice(target // 10, -target // 10)
    count = min(made.shape[1], expected.shape[1])
    assert np.abs(made[:, :count] - expected[:, :count])[:, middle].max() < 0.002


def test_what_the_lower_rate_cannot_hold_is_removed() -> None:
    """10 kHz at 16 kHz would otherwise be heard as 6 kHz."""
    made = np.concatenate(list(resampled([tone(24_000, 10_000.0)], 24_000, 16_000)), 1)
    assert np.abs(made[:, 1_600:-1_600]).max() < 0.001


def test_short_audio_is_kept() -> None:
    """Fewer samples than the filter is long."""
    made = np.concatenate(list(resampled([np.full((1, 10), 0.5, np.float32)], 24_000, 48_000)), 1)
    assert made.shape == (1, 20)
