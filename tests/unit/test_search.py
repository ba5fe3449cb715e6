"""The search for the rate limit, run for hours against models of all three kinds of window."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from worker.dispatch import search as searching
from worker.dispatch.search import Search
from worker.emulator.limits import Limit, WindowKind, limiter

TICK_SECONDS = 0.1
REFUSAL_SECONDS = 0.15
"""From a call's start until the dispatcher has read its 429."""
CATCH_UP_SECONDS = 0.25
HEADROOM = 0.98


@dataclass
class Drive:
    """A queue that never runs dry, the search, and an account whose limit may change."""

    window: WindowKind
    rpm: float
    stamped: bool = True
    changes: Sequence[tuple[float, float]] = ()
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> Drive:
        """The whole time in ticks, as the dispatcher would do it."""
        changes = list(self.changes)
        account = limiter(Limit(rpm=self.rpm, window=self.window))
        state, now, due, paused, strikes = Search(), 0.0, 0.0, 0.0, 0
        news: list[tuple[float, float, float]] = []
        while now < seconds:
            if changes and now >= changes[0][0]:
                account = limiter(Limit(rpm=changes.pop(0)[1], window=self.window))
            while news and news[0][0] <= now:
                _, started, reset = heapq.heappop(news)
                first = started > state.refused_at
                state = searching.after_refusal(state, started, now)
                if first:
                    strikes += 1
                    backoff = max(searching.clear_at(state, now), now + self.rng.uniform(0, 2 * 2 ** min(strikes, 3)))
                    paused = max(paused, reset if self.stamped else backoff)
            state = searching.grown(state, now)
            spacing = 60 / (state.rate * HEADROOM)
            earliest = max(due, now - CATCH_UP_SECONDS)
            if now >= paused and earliest <= now:
                starts = int((now - earliest) / spacing) + 1
                due = earliest + starts * spacing
                state = searching.after_starts(state, now, starts)
                for _ in range(starts):
                    at = now + self.rng.uniform(0.01, 0.08)
                    reset_at = account.admit(at)
                    if reset_at is None:
                        self.accepted.append(at)
                        strikes = 0 if now > paused else strikes
                    else:
                        self.refused.append(at)
                        heapq.heappush(news, (at + REFUSAL_SECONDS, now, reset_at))
            now += TICK_SECONDS
        return self

    def used(self, begin: float, end: float, rpm: float) -> float:
        """The share of the limit that was used in a stretch of time."""
        return sum(begin <= at < end for at in self.accepted) / ((end - begin) / 60) / rpm

    @property
    def refused_share(self) -> float:
        """Refusals among all calls."""
        return len(self.refused) / (len(self.accepted) + len(self.refused))


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [5, 60, 300, 1000])
def test_an_unknown_limit_is_found_and_used(window: WindowKind, rpm: float) -> None:
    """After five minutes of an hour at least 90 % of the limit is used, and at most 2 % of the calls are refused."""
    drive = Drive(window, rpm).run(3_600)
    print(f"{window} {rpm}/min: {drive.used(300, 3_600, rpm):.1%} used, {drive.refused_share:.2%} refused")
    assert drive.used(300, 3_600, rpm) >= 0.90
    assert drive.refused_share <= 0.02


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [60, 300, 1000])
def test_a_limit_that_halves_and_doubles_is_followed(window: WindowKind, rpm: float) -> None:
    """Three minutes after each change at least 85 % of the new limit is used."""
    drive = Drive(window, rpm, changes=[(900, rpm / 2), (1_500, rpm)]).run(2_100)
    assert drive.used(1_080, 1_500, rpm / 2) >= 0.85
    assert drive.used(1_680, 2_100, rpm) >= 0.85


@pytest.mark.parametrize("window", WindowKind)
def test_without_reset_stamps_the_limit_is_found_all_the_same(window: WindowKind) -> None:
    """A refusal that says nothing of when to come back costs a little more, and no more than that."""
    drive = Drive(window, 300, stamped=False).run(3_600)
    assert drive.used(300, 3_600, 300) >= 0.90
    assert drive.refused_share <= 0.02


def test_an_idle_queue_does_not_raise_the_rate() -> None:
    """What was not asked for was not granted: a rate grows only while it is used."""
    state = Search()
    for second in range(600):
        state = searching.grown(searching.after_starts(state, second, 1 if second % 60 == 0 else 0), second)
    assert state.rate == searching.FIRST_RPM


def test_refusals_of_one_burst_count_once() -> None:
    """Calls that had been started before the first refusal was heard of change the rate no further."""
    state = searching.after_starts(Search(rate=600, known=600), 10.0, 50)
    once = searching.after_refusal(state, 10.0, 10.5)
    assert searching.after_refusal(once, 10.2, 10.6).rate == once.rate
