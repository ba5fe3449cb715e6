"""The search for the rate limit, run for hours against models of all three kinds of window."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.unit.limited_account import BEGIN, Drive
from worker.dispatch.rate import bisection
from worker.dispatch.rate import search as rate_search
from worker.dispatch.rate import state as search_state
from worker.dispatch.rate.state import Phase, Search
from worker.emulator.limits import Limit, WindowKind

HOUR = 3_600
HALF_HOUR = 1_800
WARM = 300
"""Five minutes are for finding the limit."""
SMALL_BUCKETS = [(5, 2), (60, 5), (60, 50), (300, 5), (300, 50), (1000, 20)]


def shown(name: str, drive: Drive, seconds: float) -> str:
    """What came of it, to be read beside the bounds."""
    return (
        f"{name} {drive.limit.rpm:g}/min: {drive.used(WARM, seconds):.1%} used after five minutes;"
        f" {drive.refused_share(WARM):.2%} refused then, {drive.refused_share():.2%} in the whole time"
    )


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [5, 60, 300, 1000])
def test_an_unknown_limit_is_found_and_used(window: WindowKind, rpm: float) -> None:
    """After five minutes of an hour at least 90 % of the limit is used; of the whole hour's calls at most 2 % are
    refused, those of the ramp included."""
    drive = Drive(Limit(rpm=rpm, window=window)).run(HOUR)
    print(shown(window, drive, HOUR))
    assert drive.used(WARM, HOUR) >= 0.90
    assert drive.refused_share(WARM) <= 0.02
    assert drive.refused_share() <= 0.02


@pytest.mark.parametrize(("rpm", "burst"), SMALL_BUCKETS)
def test_a_bucket_that_saves_up_little_is_used_all_the_same(rpm: float, burst: int) -> None:
    """What came through in the ramp says little of the rate at which permits flow in; it is found nevertheless."""
    drive = Drive(Limit(rpm=rpm, window=WindowKind.TOKEN_BUCKET, burst=burst)).run(HALF_HOUR)
    print(shown(f"bucket of {burst}", drive, HALF_HOUR))
    assert drive.used(WARM, HALF_HOUR) >= 0.90
    assert drive.refused_share(WARM) <= 0.02


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [60, 300])
@pytest.mark.parametrize("stamped", [True, False])
def test_slow_calls_slow_refusals_and_missing_stamps_are_borne(window: WindowKind, rpm: float, stamped: bool) -> None:
    """Calls of 18 s on a thousand slots, refusals that take up to half a second, with and without a reset stamp."""
    drive = Drive(Limit(rpm=rpm, window=window), slots=1_000, latency=18.0, refusal=(0.02, 0.5), stamped=stamped).run(
        HALF_HOUR
    )
    print(shown(f"{window} {stamped=}", drive, HALF_HOUR))
    assert drive.used(WARM, HALF_HOUR) >= 0.90
    assert drive.refused_share(WARM) <= 0.02


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [60, 300])
def test_a_limit_that_halves_and_doubles_is_followed(window: WindowKind, rpm: float) -> None:
    """Three minutes after each change at least 85 % of the new limit is used, and of any three minutes from then on."""
    full, half = Limit(rpm=rpm, window=window), Limit(rpm=rpm / 2, window=window)
    drive = Drive(full, changes=[(900, half), (1_500, full)]).run(2_100)
    halved = stretches(drive, 1_080, 1_500, rpm / 2)
    doubled = stretches(drive, 1_680, 2_100, rpm)
    print(f"{window} {rpm:g}/min: at least {min(halved):.1%} after halving, {min(doubled):.1%} after doubling")
    assert min(halved) >= 0.85
    assert min(doubled) >= 0.85


def stretches(drive: Drive, begin: float, end: float, rpm: float) -> Sequence[float]:
    """The share used in every three minutes of a stretch of time."""
    return [drive.used(at, at + 180, rpm) for at in range(int(begin), int(end) - 179, 30)]


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("rpm", [60, 300])
def test_a_small_bucket_that_halves_and_doubles_is_followed(rpm: float, stamped: bool) -> None:
    """Nothing is saved up that would show in a minute's count, and yet the pace finds the new rate."""
    full = Limit(rpm=rpm, window=WindowKind.TOKEN_BUCKET, burst=5)
    half = full.model_copy(update={"rpm": rpm / 2})
    drive = Drive(full, stamped=stamped, changes=[(900, half), (1_500, full)]).run(2_100)
    assert drive.used(1_080, 1_500, rpm / 2) >= 0.85
    assert drive.used(1_680, 2_100, rpm) >= 0.85


@pytest.mark.parametrize("window", WindowKind)
def test_a_first_refusal_may_come_late(window: WindowKind) -> None:
    """At full speed a limit of 600 is met after a quarter of a minute: the minute's count is the estimate then, too."""
    drive = Drive(Limit(rpm=600, window=window)).run(900)
    assert drive.refused[0] > 9
    assert drive.used(WARM, 900) >= 0.90
    assert drive.refused_share() <= 0.02


def test_without_a_limit_nothing_slows_the_calls_down() -> None:
    """Nothing is refused: a hundred slots are full within half a second, and never wait again."""
    drive = Drive(Limit(), latency=2.0).run(60)
    assert sum(count for at, count in drive.starts if at < 0.6) == 100
    waves = 60 / (2.0 + 0.1)
    assert len(drive.accepted) >= 0.95 * 100 * waves
    assert drive.search.phase is Phase.FREE
    assert drive.search.limit is None


def test_calls_under_way_when_all_are_refused_count_as_refused() -> None:
    """The first estimate is what came through, not what was let go before the refusals were heard of."""
    drive = Drive(Limit(rpm=60, window=WindowKind.FIXED), refusal=(0.4, 0.5)).run(5)
    assert len(drive.refused) > 5
    assert drive.search.limit == 60


def test_a_full_window_at_the_beginning_is_not_taken_for_no_limit_at_all() -> None:
    """Where another client has used up the window, the first estimate is the lowest plan's limit, not zero."""
    drive = Drive(Limit(rpm=60, window=WindowKind.FIXED), changes=[(0.0, Limit(rpm=0.001))]).run(2)
    assert drive.search.limit == bisection.LEAST_RPM


def test_an_idle_queue_does_not_raise_the_rate() -> None:
    """What was not asked for was not granted: a rate grows only while it is used."""
    state = Search(phase=Phase.STARTING, rate=10.0, known=10.0)
    for second in range(600):
        state = rate_search.grown(rate_search.after_starts(state, second, 1 if second % 60 == 0 else 0), second)
    assert state.rate == 10.0


def test_refusals_of_one_burst_count_once() -> None:
    """Calls that began before the first refusal arrived change the rate no further."""
    steady = Search(phase=Phase.STEADY, rate=600, known=600)
    once = rate_search.after_refusal(rate_search.after_starts(steady, 10.0, 50), 10.0, 10.5)
    assert once.rate < 600
    assert rate_search.after_refusal(once, 10.2, 10.6).rate == once.rate


@pytest.mark.parametrize("seconds", [0.2, 1.0, 30.0, 200.0, 1_000.0])
def test_what_is_kept_is_the_whole_search(seconds: float) -> None:
    """A new leader reads what the last one wrote, in every phase."""
    state = Drive(Limit(rpm=60, window=WindowKind.SLIDING)).run(seconds).search
    assert search_state.read(search_state.kept(state)) == state


def test_what_an_earlier_version_kept_is_understood() -> None:
    """Fields that it didn't know are as in a new search, and fields that this one doesn't know are left out."""
    earlier = {
        "phase": "steady",
        "rate": 58.8,
        "known": 58.8,
        "changed_at": BEGIN,
        "refused_at": float("-inf"),
        "calls": 12,
        "settling_until": float("-inf"),
        "falls": 0,
        "raised_from": None,
        "patience": 0,
        "accepted": [[int(BEGIN), 3]],
        "of_another_time": 1,
    }
    state = search_state.read(json.dumps(earlier))
    assert (state.phase, state.rate, state.accepted) == (Phase.STEADY, 58.8, ((int(BEGIN), 3),))
    assert (state.floor, state.ceiling, state.fresh) == (None, None, ())
