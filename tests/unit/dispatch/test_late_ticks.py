"""Late ticks catch up what the rate allowed meanwhile, within the window, and an idle queue saves nothing up."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.factories import NOW
from tests.thorough import thorough
from worker.dispatch.rate import pace, state
from worker.dispatch.rate.recent import Recent
from worker.dispatch.rate.state import Phase, Search
from worker.emulator.limits import Limit, WindowKind, limiter
from worker.store.account import PaceState

PLENTY = 100_000
MINUTES = thorough(10, 4)
SECOND = timedelta(seconds=1)


def starts_of(paced: PaceState, gaps: list[float], *, ticked: bool = False) -> list[float]:
    """When calls start in MINUTES of endless work; the gaps between ticks repeat, in seconds."""
    now, starts, number = NOW, [], 0
    while now < NOW + MINUTES * 60 * SECOND:
        started = pace.permitted(paced, now, PLENTY)
        paced = pace.after_starts(paced, now, started)
        paced = replace(paced, ticked_at=now) if ticked else paced
        starts += [now.timestamp()] * started
        now += timedelta(seconds=gaps[number % len(gaps)])
        number += 1
    return starts


def refused(starts: list[float], rpm: float, window: WindowKind) -> int:
    account = limiter(Limit(rpm=rpm, window=window))
    return sum(account.admit(start) is not None for start in starts)


def found(rpm: float) -> PaceState:
    """A rate that was found long ago."""
    search = Search(phase=Phase.STEADY, rate=rpm, known=rpm, changed_at=NOW.timestamp() - 3_600)
    return PaceState(rpm=rpm, search=state.kept(search))


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("gap", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("rpm", [234, 600, 3_000])
@pytest.mark.parametrize("known", ["set", "found"])
@pytest.mark.parametrize("ticked", [False, True], ids=["by the row", "by the last tick"])
def test_a_known_rate_is_used_however_late_ticks_come(
    window: WindowKind, gap: float, rpm: int, known: str, ticked: bool
) -> None:
    """At least 97 % of it, and nothing is refused."""
    paced = PaceState(rpm=rpm) if known == "set" else found(rpm)
    starts = starts_of(paced, [gap], ticked=ticked)
    assert len(starts) >= 0.97 * rpm * MINUTES
    assert refused(starts, rpm, window) == 0


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("longest", [0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("rpm", [7, 60, 234, 3_000])
def test_irregular_ticks_are_never_refused(window: WindowKind, longest: float, rpm: int) -> None:
    """A burst after a long gap is paid back before the window ends."""
    rng = random.Random(rpm)
    gaps = [rng.uniform(0.05, longest) for _ in range(997)]
    starts = starts_of(PaceState(rpm=rpm), gaps)
    assert refused(starts, rpm, window) == 0
    assert len(starts) >= 0.9 * rpm * MINUTES


@pytest.mark.parametrize("idle", [0.6, 3.0, 60.0])
def test_a_queue_that_was_idle_starts_no_burst(idle: float) -> None:
    """Ticks came in time, and had nothing to start: only the usual moment is made up for."""
    paced = PaceState(rpm=6_000, next_start_at=NOW - timedelta(seconds=idle), ticked_at=NOW - SECOND / 10)
    assert pace.permitted(paced, NOW, PLENTY) == int(pace.CATCH_UP_SECONDS * 6_000 * pace.HEADROOM / 60) + 1


def test_a_probe_is_not_sent_in_one_burst() -> None:
    """Of twice the known rate all would be refused at once; a late tick starts what the known rate allows."""
    search = Search(phase=Phase.PROBING, rate=6_000, known=3_000, changed_at=NOW.timestamp() - 1)
    late = PaceState(search=state.kept(search), next_start_at=NOW - 2 * SECOND)
    assert pace.permitted(late, NOW, PLENTY) == int(2 * 3_000 * pace.SEARCH_HEADROOM / 60) + 1
    prompt = replace(late, next_start_at=NOW - SECOND / 10)
    assert pace.permitted(prompt, NOW, PLENTY) == int(0.1 * 6_000 * pace.SEARCH_HEADROOM / 60) + 1


@pytest.mark.parametrize("hours", [1, -1])
def test_a_start_further_ahead_than_one_spacing_is_due(hours: int) -> None:
    """It was written before the clock stepped back; or it is long overdue."""
    paced = PaceState(rpm=60, next_start_at=NOW + timedelta(hours=hours))
    assert pace.permitted(paced, NOW, PLENTY) == 1
    assert pace.next_chance(paced, NOW) == NOW


def test_a_pace_moves_back_with_the_clock() -> None:
    """Its pause and its start keep their distance from now, and so do the calls that a search has counted."""
    search = Search(phase=Phase.STEADY, rate=60, known=60, changed_at=100_000.5, accepted=((100_000, 7),))
    paced = PaceState(next_start_at=NOW, paused_until=NOW + SECOND, search=state.kept(search))
    paced = replace(paced, recent=Recent().after(NOW, 3))
    moved = pace.earlier(paced, 3_600)
    assert (moved.next_start_at, moved.paused_until) == (NOW - 3_600 * SECOND, NOW - 3_599 * SECOND)
    kept = state.read(moved.search or "")
    assert (kept.changed_at, kept.accepted) == (96_400.5, ((96_400, 7),))
    assert isinstance(moved.recent, Recent)
    assert moved.recent.count(NOW - 3_600 * SECOND) == 3


def test_recent_calls_are_forgotten_after_a_minute() -> None:
    """To the tick; ticks of one moment share an entry, so that the count stays cheap."""
    recent = Recent()
    for tick in range(10_000):
        recent = recent.after(NOW + tick * SECOND / 100, 1)
    assert len(recent.entries) <= 1_250
    now = NOW + 10_000 * SECOND / 100
    assert recent.count(now) == pytest.approx(6_000, abs=11)
    assert recent.count(now + 61 * SECOND) == 0
