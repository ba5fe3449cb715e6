"""The signal rung: whether a voice changes from the first third of a take to the last, and clicks. Knows no words."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from worker.acceptance.features import FRAMES_PER_SECOND, RATE, WINDOW, is_speech, powers_db, spectra
from worker.acceptance.findings import Finding, Reason, Rung, Samples, fine, inconclusive, suspicion

Powers = npt.NDArray[np.float64]

MIN_DRIFT_SECONDS: Final = 20.0
"""Of speech: a third of less is a sentence or two, whose own sounds differ as much. Voices drift in long takes."""
HIGH_HZ: Final = 2_000.0
MAX_HIGH_FALL_DB: Final = 12.0
"""By which the last third's part above `HIGH_HZ` may have fallen, relative to all of it."""
MAX_LEVEL_FALL_DB: Final = 14.0
MAX_CENTROID_FALL: Final = 0.6
"""Of the first third's spectral centroid."""
CLICK_RATIO: Final = 15.0
"""Of a sample's second difference to the mean around it."""
MIN_CLICK: Final = 0.25
"""Of full scale."""
MAX_CLICKS: Final = 2
CLICK_SAMPLES: Final = 3


def judge_signal(samples: Samples) -> Finding:
    """`samples` at the features' rate."""
    places = np.flatnonzero(is_speech(powers_db(samples)))
    if len(clicks := _clicks(samples)) > MAX_CLICKS:
        span = (clicks[0] / RATE, clicks[-1] / RATE)
        return suspicion(Rung.SIGNAL, Reason.CLICKS, len(clicks) / MAX_CLICKS, span=span)
    if len(places) < MIN_DRIFT_SECONDS * FRAMES_PER_SECOND:
        return inconclusive(Rung.SIGNAL, Reason.SHORT_TAKE)
    score = _drift(samples, places)
    if score <= 1:
        return fine(Rung.SIGNAL, score)
    start = float(places[len(places) * 2 // 3] / FRAMES_PER_SECOND)
    return suspicion(Rung.SIGNAL, Reason.DRIFT, score, span=(start, len(samples) / RATE))


def _drift(samples: Samples, places: npt.NDArray[np.intp]) -> float:
    """The largest of three falls from the first third of the speech to the last, each relative to its limit."""
    powers = np.square(np.abs(spectra(samples)[places]))
    third = len(places) // 3
    first, last = powers[:third].mean(axis=0), powers[-third:].mean(axis=0)
    hertz = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    high = _decibels(_share(first, hertz)) - _decibels(_share(last, hertz))
    level = _decibels(float(first.sum())) - _decibels(float(last.sum()))
    centroid = 1 - _centroid(last, hertz) / _centroid(first, hertz)
    return max(high / MAX_HIGH_FALL_DB, level / MAX_LEVEL_FALL_DB, centroid / MAX_CENTROID_FALL)


def _share(powers: Powers, hertz: Powers) -> float:
    return float(powers[hertz > HIGH_HZ].sum() / (powers.sum() + 1e-12))


def _centroid(powers: Powers, hertz: Powers) -> float:
    return float((powers * hertz).sum() / (powers.sum() + 1e-12)) + 1.0


def _decibels(power: float) -> float:
    return float(10 * np.log10(power + 1e-12))


def _clicks(samples: Samples) -> list[int]:
    """Single jumps of the wave, far above those around them: where pieces were joined, or samples lost."""
    bends = np.abs(np.diff(samples, 2))
    usual = np.convolve(bends, np.full(WINDOW, 1 / WINDOW), "same") + 1e-4
    found = np.flatnonzero((bends > MIN_CLICK) & (bends > CLICK_RATIO * usual))
    apart = np.diff(found, prepend=-WINDOW) > CLICK_SAMPLES
    return [int(at) for at in found[apart]]
