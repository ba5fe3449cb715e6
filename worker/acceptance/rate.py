"""The line `seconds = a + b × reference` of one model, voice and language, and what a take's distance from it says.

Robust by medians: a tenth of bad takes among those learned from moves it little. Its weakness: another text of the same
length lies on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from worker.acceptance.findings import MIN_RATE_SECONDS, Finding, Reason, Rung, fine, inconclusive, suspicion

MIN_TAKES: Final = 30
"""Learned from before the line judges."""
MAX_PAIRS: Final = 400
"""Of the newest: their slopes are compared two by two."""
NORMAL_MADS: Final = 1.4826
"""Median absolute deviations in one standard deviation of a normal distribution."""
MAX_DEVIATIONS: Final = 4.5
MIN_BAND: Final = 0.08
"""Of the expected duration: however alike the learned takes were, a take so near to the line is never suspicious."""
MAX_SPREAD: Final = 0.2
"""Of the expected duration: a line whose takes are spread wider than this judges nothing."""
SLOPES: Final = (0.2, 5.0)
MIN_APART: Final = 0.25
"""Relative difference of two references below which their slope is mostly noise."""


@dataclass(frozen=True, slots=True)
class RateLine:
    """What was learned; four numbers that can be stored."""

    a: float
    """Seconds at reference zero."""
    b: float
    """Seconds a second of the reference."""
    mad: float
    """Median absolute deviation from the line, relative to the expected duration."""
    count: int
    """Takes learned from."""

    def expected(self, reference_seconds: float) -> float:
        return max(0.1, self.a + self.b * reference_seconds)

    @property
    def band(self) -> float:
        """The relative distance from which on a take is suspicious."""
        return max(MIN_BAND, MAX_DEVIATIONS * NORMAL_MADS * self.mad)

    def judge(self, seconds: float, reference_seconds: float) -> Finding:
        if self.count < MIN_TAKES:
            return inconclusive(Rung.RATE, Reason.FEW_TAKES)
        expected = self.expected(reference_seconds)
        if max(seconds, expected) < MIN_RATE_SECONDS:
            return inconclusive(Rung.RATE, Reason.SHORT_TAKE)
        if self.band > MAX_SPREAD:
            return inconclusive(Rung.RATE, Reason.UNSURE)
        distance = seconds / expected - 1
        score = abs(distance) / self.band
        if score <= 1:
            return fine(Rung.RATE, score)
        return suspicion(Rung.RATE, Reason.TOO_SHORT if distance < 0 else Reason.TOO_LONG, score)


def learn(pairs: Sequence[tuple[float, float]]) -> RateLine | None:
    """The line through pairs (reference seconds, seconds) of good takes, oldest first; None without a usable pair.

    By Theil and Sen: the slope is the median of the slopes of all pairs of points.
    """
    usable = [(reference, seconds) for reference, seconds in pairs if reference > 0 and seconds > 0][-MAX_PAIRS:]
    if not usable:
        return None
    b = _slope(usable)
    a = median(seconds - b * reference for reference, seconds in usable)
    line = RateLine(a, b, 0.0, len(usable))
    mad = median(abs(seconds / line.expected(reference) - 1) for reference, seconds in usable)
    return RateLine(a, b, mad, len(usable))


def _slope(pairs: Sequence[tuple[float, float]]) -> float:
    slopes = [
        (seconds - other_seconds) / (reference - other)
        for at, (reference, seconds) in enumerate(pairs)
        for other, other_seconds in pairs[:at]
        if abs(reference - other) > MIN_APART * max(reference, other)
    ]
    through_zero = median(seconds / reference for reference, seconds in pairs)
    found = median(slopes) if len(slopes) >= len(pairs) else through_zero
    return min(max(found, SLOPES[0]), SLOPES[1])
