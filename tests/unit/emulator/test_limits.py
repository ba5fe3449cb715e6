"""The emulator's rate limits and reset stamps, as pure rules over given times."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from worker.emulator.api.reset_times import StampFormat, stamp
from worker.emulator.limits import Limit, WindowKind, limiter


def admitted(limit: Limit, times: list[float]) -> list[float]:
    """Those of `times` at which a call passes."""
    rule = limiter(limit)
    return [at for at in times if rule.admit(at) is None]


@pytest.mark.parametrize("window", WindowKind)
def test_a_burst_passes_up_to_the_limit_and_names_the_time_of_the_next(window: WindowKind) -> None:
    """60 a minute admits 60 calls at once; the 61st response names the exact time from which a call passes."""
    rule = limiter(Limit(rpm=60, window=window))
    answers = [rule.admit(1_000.0) for _ in range(61)]
    assert answers[:60] == [None] * 60
    reset_at = answers[60]
    assert reset_at is not None
    assert reset_at > 1_000
    assert rule.admit(reset_at - 0.001) is not None
    assert rule.admit(reset_at) is None


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [5, 60, 1_000])
def test_an_hour_of_eager_calls_gets_the_limit(window: WindowKind, rpm: int) -> None:
    """Someone who asks all the time gets the limit in every window kind, plus at most one burst."""
    passed = len(admitted(Limit(rpm=rpm, window=window), [i * 30 / rpm for i in range(2 * 60 * rpm)]))
    assert 60 * rpm <= passed <= 61 * rpm


def test_a_fixed_window_lets_two_bursts_meet_at_its_end() -> None:
    """The weakness of that kind: a window's worth just before its end and another just after."""
    times = [0.0, *[59.9] * 9, *[60.0] * 10]
    assert admitted(Limit(rpm=10), times) == times


def test_a_sliding_window_never_holds_more_than_the_limit() -> None:
    """The same two bursts: the second one waits until the first has left the window."""
    times = [0.0, *[59.9] * 9, *[60.0] * 10]
    assert admitted(Limit(rpm=10, window=WindowKind.SLIDING), times) == [*times[:10], 60.0]


def test_a_small_bucket_enforces_spacing() -> None:
    """With a burst of one, calls pass only as fast as permits flow in."""
    limit = Limit(rpm=60, window=WindowKind.TOKEN_BUCKET, burst=1)
    assert admitted(limit, [0.0, 0.5, 1.0, 1.5, 2.0]) == [0.0, 1.0, 2.0]


def test_even_spacing_at_a_fractional_rate_is_never_refused() -> None:
    """A third of a second between calls at 180 a minute passes for an hour: rounding takes no permit away."""
    limit = Limit(rpm=180, window=WindowKind.TOKEN_BUCKET, burst=1)
    times = [i / 3 for i in range(180 * 60)]
    assert admitted(limit, times) == times


def test_a_short_window_takes_its_share_of_the_minute() -> None:
    """600 a minute in windows of two seconds is 20 a window."""
    assert len(admitted(Limit(rpm=600, window_seconds=2), [0.0] * 100)) == 20


def test_no_limit_admits_everything() -> None:
    """Unset is no limit."""
    assert len(admitted(Limit(), [0.0] * 1_000)) == 1_000


AT = 1_795_250_096.2004
"""2026-11-21T08:34:56.2004Z."""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (StampFormat.EPOCH_SECONDS, "1795250097"),
        (StampFormat.EPOCH_MILLISECONDS, "1795250096201"),
        (StampFormat.ISO, "2026-11-21T08:34:56.201Z"),
        (StampFormat.ISO_NAIVE, "2026-11-21T08:34:57"),
        (StampFormat.SPACED, "2026-11-21 08:34:57"),
        (StampFormat.HTTP_DATE, "Sat, 21 Nov 2026 08:34:57 GMT"),
        (StampFormat.PAST, "2026-11-21T07:34:56.201Z"),
        (StampFormat.UNREADABLE, "in a little while"),
        (StampFormat.ABSENT, None),
    ],
)
def test_a_stamp_is_written_in_its_form_and_never_too_early(kind: StampFormat, text: str | None) -> None:
    """Fractions are rounded up to what the form can say: a caller who keeps to it isn't refused again."""
    assert stamp(kind, AT) == text


def test_the_stamps_are_utc() -> None:
    """The date of HTTP reads back as the same second, rounded up."""
    written = stamp(StampFormat.HTTP_DATE, AT)
    assert written is not None
    assert parsedate_to_datetime(written) == datetime.fromtimestamp(1_795_250_097, UTC)
