"""The pace: even spacing under a ceiling, the ramp and the search where there is none, and the pauses after a 429."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_models.problems import InvalidInputError
from tests.factories import NOW
from worker import settings as app_settings
from worker.dispatch.rate import pace, ramp
from worker.dispatch.rate import state as search_state
from worker.dispatch.rate.state import Phase
from worker.emulator.limits import Limit, WindowKind, limiter
from worker.store.account import PaceState

PLENTY = 10_000
MINUTE = timedelta(seconds=60)


class Ticks:
    """A dispatcher with endless work, ticking at times that only the dice know."""

    def __init__(self, rpm: float, seed: int, longest: float) -> None:
        self._rng = random.Random(seed)
        self._longest = longest
        self.pace = pace.with_ceiling(PaceState(), rpm)
        self.now = NOW
        self.starts: list[datetime] = []

    def run(self, seconds: float) -> list[datetime]:
        """Every start within the time."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            started = pace.permitted(self.pace, self.now, PLENTY)
            self.pace = pace.after_starts(self.pace, self.now, started)
            self.starts += [self.now] * started
            self.now += timedelta(seconds=self._rng.uniform(0.001, self._longest))
        return self.starts


def fullest(starts: list[datetime], window: timedelta) -> int:
    """The most starts that any stretch of the window's length holds."""
    return max(bisect_right(starts, start + window) - at for at, start in enumerate(starts))


rpms = st.integers(min_value=1, max_value=3_000)
seeds = st.integers(min_value=0, max_value=2**32)


@settings(max_examples=60, deadline=None)
@given(rpm=rpms, seed=seeds, longest=st.sampled_from([0.02, 0.1, 0.25, 0.7, 3.0, 20.0]))
def test_no_sliding_minute_holds_more_calls_than_the_ceiling(rpm: int, seed: int, longest: float) -> None:
    """However late ticks come, a minute anywhere holds at most the ceiling, less the headroom but for one call."""
    starts = Ticks(rpm, seed, longest).run(150)
    assert fullest(starts, MINUTE) <= rpm
    caught_up = rpm * pace.HEADROOM * (60 + pace.CATCH_UP_SECONDS) / 60
    assert fullest(starts, MINUTE) <= math.floor(caught_up + 1e-3) + 1


@settings(max_examples=40, deadline=None)
@given(rpm=st.integers(min_value=60, max_value=3_000), seed=seeds, longest=st.sampled_from([0.02, 0.1, 0.25]))
def test_a_busy_dispatcher_uses_nearly_the_whole_ceiling(rpm: int, seed: int, longest: float) -> None:
    """Ticks as late as a busy dispatcher's cost nothing: at least 95 % of the ceiling is used."""
    minutes = 3
    starts = Ticks(rpm, seed, longest).run(60 * minutes)
    assert len(starts) >= 0.95 * rpm * minutes


@pytest.mark.parametrize("window", WindowKind)
@pytest.mark.parametrize("rpm", [5, 60, 300, 1000])
def test_a_limit_that_is_set_right_is_used_and_never_hit(window: WindowKind, rpm: int) -> None:
    """After the first five minutes of an hour at least 98 % of it is used, and of all calls none is refused, though
    each takes up to a tenth of a second to arrive."""
    rng, account = random.Random(rpm), limiter(Limit(rpm=rpm, window=window))
    starts = Ticks(rpm, seed=rpm, longest=0.1).run(3_600)
    arrivals = sorted(start.timestamp() + rng.uniform(0, 0.1) for start in starts)
    refused = sum(account.admit(arrival) is not None for arrival in arrivals)
    used = sum(arrival - NOW.timestamp() >= 300 for arrival in arrivals) / 55 / rpm
    print(f"{window} {rpm}/min: {used:.1%} used, {refused} refused")
    assert used >= 0.98
    assert refused == 0


def test_a_single_late_tick_makes_good_only_a_moment() -> None:
    """After an hour of silence the first tick starts no burst, only what a quarter of a second is worth."""
    idle = PaceState(rpm=6_000, next_start_at=NOW - timedelta(hours=1))
    assert pace.permitted(idle, NOW, PLENTY) == int(pace.CATCH_UP_SECONDS * 6_000 * pace.HEADROOM / 60) + 1


def test_a_first_start_is_one_call() -> None:
    """A pace that never started anything lets one call go, and the next one only a spacing later."""
    fresh = PaceState(rpm=60)
    assert pace.permitted(fresh, NOW, PLENTY) == 1
    after = pace.after_starts(fresh, NOW, 1)
    assert pace.permitted(after, NOW, PLENTY) == 0
    assert pace.next_chance(after, NOW) == NOW + timedelta(seconds=1 / pace.HEADROOM)
    assert pace.permitted(after, pace.next_chance(after, NOW), PLENTY) == 1


def test_no_more_is_permitted_than_wanted() -> None:
    """Free slots bound the starts, with and without a ceiling."""
    assert pace.permitted(PaceState(), NOW, 7) == 7
    assert pace.permitted(PaceState(rpm=6_000, next_start_at=NOW - MINUTE), NOW, 3) == 3


def test_without_a_ceiling_nothing_is_kept() -> None:
    """Starts without a ceiling change nothing, and no starts change nothing under one."""
    assert pace.after_starts(PaceState(), NOW, 50) == PaceState()
    paced = PaceState(rpm=60)
    assert pace.after_starts(paced, NOW, 0) == paced


def test_lifting_the_ceiling_keeps_the_pause() -> None:
    """A new ceiling replaces the old one and nothing else."""
    paused = PaceState(rpm=60, paused_until=NOW + MINUTE, strikes=2, message="Too many requests")
    lifted = pace.with_ceiling(paused, "unlimited")
    assert (lifted.rpm, lifted.paused_until, lifted.strikes) == (None, NOW + MINUTE, 2)


def test_without_a_setting_the_ramp_decides_until_all_slots_are_full() -> None:
    """A hundred slots: the first calls, and at each next chance thrice as many as before."""
    state, now = pace.with_ceiling(PaceState(), None), NOW
    starts: list[int] = []
    while sum(starts) < 100:
        starts.append(pace.permitted(state, now, 100 - sum(starts)))
        state = pace.after_starts(state, now, starts[-1])
        now = pace.next_chance(state, now)
    assert starts == [6, 13, 43, 38]
    assert now <= NOW + timedelta(seconds=1)
    assert (state.rpm, pace.found_rate(state)) == (None, None)


def test_a_step_of_the_ramp_is_a_chance_that_the_dispatcher_wakes_for() -> None:
    """Right after the first calls nothing more may start; at the next chance, to the microsecond, something may."""
    state = pace.after_starts(pace.with_ceiling(PaceState(), None), NOW, ramp.FIRST_CALLS)
    chance = pace.next_chance(state, NOW)
    assert pace.permitted(state, NOW, PLENTY) == 0
    assert chance == NOW + timedelta(seconds=ramp.FIRST_PROOF_SECONDS)
    assert pace.permitted(state, chance, PLENTY) > 0


def test_the_first_refusal_ends_the_freedom() -> None:
    """What came through is the rate from then on, evenly spaced, for every leader that reads the row."""
    state = pace.after_starts(pace.with_ceiling(PaceState(), None), NOW, 6)
    heard = NOW + timedelta(seconds=0.1)
    state = refused(state, at=heard, reset_at=NOW + MINUTE, now=heard)
    assert (state.rpm, pace.found_rate(state)) == (5, 5)
    assert pace.permitted(state, heard, PLENTY) == 0
    assert pace.permitted(state, NOW + MINUTE, PLENTY) == 1
    state = pace.after_starts(state, NOW + MINUTE, 1)
    assert pace.next_chance(state, NOW + MINUTE) == NOW + MINUTE + timedelta(seconds=12 / pace.SEARCH_HEADROOM)


@pytest.mark.parametrize(("said", "meant"), [("auto", None), ("unlimited", "unlimited"), ("60", 60.0), ("0.5", 0.5)])
def test_the_ceiling_is_a_setting(said: str, meant: pace.Ceiling) -> None:
    """A number, or one of two words; `auto` is the explicit form of the default."""
    assert app_settings.load(SEGMIND_RPM=said).segmind_rpm == meant


@pytest.mark.parametrize("said", ["fast", "0", "-1", "nan", "100001"])
def test_anything_else_is_refused_as_a_ceiling(said: str) -> None:
    """With the name of the setting."""
    with pytest.raises(InvalidInputError) as refusal:
        app_settings.load(SEGMIND_RPM=said)
    assert [fault.field for fault in refusal.value.faults] == ["SEGMIND_RPM"]


def test_a_ceiling_ends_a_search_and_lifting_it_begins_a_new_one() -> None:
    """What was found is forgotten where a ceiling is set, or none at all is wanted."""
    found = refused(pace.after_starts(pace.with_ceiling(PaceState(), None), NOW, 6))
    assert pace.with_ceiling(found, None) == found
    assert pace.with_ceiling(found, 60).search is None
    assert pace.with_ceiling(found, "unlimited").rpm is None
    fresh = pace.with_ceiling(pace.with_ceiling(found, 60), None)
    assert search_state.read(fresh.search or "").phase is Phase.FREE


def test_a_stamp_that_has_passed_meanwhile_means_that_the_way_is_clear() -> None:
    """A bucket's permit had flowed in again before its refusal was read: a search backs off by a moment only, not until
    the minute's calls have thinned out."""
    state = pace.after_starts(pace.with_ceiling(PaceState(), None), NOW, 60)
    heard = NOW + timedelta(seconds=0.3)
    stamped = refused(state, at=heard, reset_at=NOW + timedelta(seconds=0.2), now=heard)
    silent = refused(state, at=heard, now=heard)
    assert stamped.paused_until is not None
    assert silent.paused_until is not None
    assert stamped.paused_until <= heard + timedelta(seconds=pace.BACKOFF_SECONDS)
    assert silent.paused_until >= NOW + MINUTE


def refused(
    state: PaceState, *, at: datetime = NOW, reset_at: datetime | None = None, now: datetime = NOW, seed: int = 1
) -> PaceState:
    """The pace after one 429."""
    return pace.after_refusal(
        state,
        refused_at=at,
        started_at=min(at, NOW),
        reset_at=reset_at,
        message="Slow down",
        now=now,
        rng=random.Random(seed),
    )


def test_a_reset_stamp_is_obeyed() -> None:
    """Everything waits for the API's stamp, and not an instant longer."""
    paused = refused(PaceState(), reset_at=NOW + timedelta(seconds=41))
    assert (paused.paused_until, paused.strikes, paused.message) == (NOW + timedelta(seconds=41), 1, "Slow down")
    assert pace.is_paused(paused, NOW + timedelta(seconds=40.999))
    assert pace.permitted(paused, NOW + timedelta(seconds=40.999), PLENTY) == 0
    assert pace.permitted(paused, NOW + timedelta(seconds=41), PLENTY) == PLENTY
    assert pace.next_chance(paused, NOW) == NOW + timedelta(seconds=41)


@given(seed=seeds, strikes=st.integers(min_value=0, max_value=40))
def test_without_a_stamp_the_pause_is_a_backoff_with_full_jitter(seed: int, strikes: int) -> None:
    """The pause lies anywhere between nothing and a bound that doubles from strike to strike, up to the cap."""
    paused = refused(PaceState(strikes=strikes), seed=seed)
    bound = min(pace.BACKOFF_CAP_SECONDS, pace.BACKOFF_SECONDS * 2**strikes)
    assert paused.paused_until is not None
    assert timedelta(0) <= paused.paused_until - NOW <= timedelta(seconds=bound)
    assert paused.strikes == strikes + 1


def test_the_jitter_is_full() -> None:
    """Over many dice the pauses fill the whole range evenly."""
    pauses = [(refused(PaceState(strikes=3), seed=seed).paused_until or NOW) - NOW for seed in range(400)]
    shares = [pause / timedelta(seconds=16) for pause in pauses]
    assert min(shares) < 0.05
    assert max(shares) > 0.95
    assert sum(shares) / len(shares) == pytest.approx(0.5, abs=0.06)


def test_a_stamp_of_the_past_falls_back_to_a_backoff() -> None:
    """A stamp that has passed says nothing about when to come back."""
    paused = refused(PaceState(strikes=4), reset_at=NOW - timedelta(seconds=1))
    assert paused.paused_until is not None
    assert paused.paused_until > NOW


def test_a_crowd_of_refusals_is_one_strike() -> None:
    """Calls that were under way when the pause began belong to the same strike."""
    first = refused(PaceState(), reset_at=NOW + timedelta(seconds=30))
    for late in range(1, 30):
        assert refused(first, at=NOW + timedelta(seconds=late), now=NOW + timedelta(seconds=late)) == first


def test_a_later_stamp_lengthens_the_pause_and_an_earlier_one_does_not_shorten_it() -> None:
    """Of several stamps for one pause the latest counts."""
    first = refused(PaceState(), reset_at=NOW + timedelta(seconds=30))
    longer = refused(first, reset_at=NOW + timedelta(seconds=45))
    assert (longer.paused_until, longer.strikes) == (NOW + timedelta(seconds=45), 1)
    assert refused(longer, reset_at=NOW + timedelta(seconds=10)) == longer


def test_a_refusal_after_the_pause_is_the_next_strike() -> None:
    """Each strike lengthens the next pause."""
    first = refused(PaceState(), reset_at=NOW + timedelta(seconds=5))
    later = NOW + timedelta(seconds=6)
    assert refused(first, at=later, now=later).strikes == 2


def test_a_success_forgets_strikes_only_when_it_began_after_the_pause() -> None:
    """A call that was under way before the refusal proves nothing about the limit now."""
    struck = PaceState(paused_until=NOW + timedelta(seconds=5), strikes=3, message="Slow down")
    assert pace.after_success(struck, started_at=NOW) == struck
    eased = pace.after_success(struck, started_at=NOW + timedelta(seconds=5))
    assert (eased.strikes, eased.message) == (0, None)


def test_the_next_chance_is_now_unless_something_holds() -> None:
    """Neither ceiling nor pause: at once. Under a ceiling whose next start is overdue: at once, too."""
    assert pace.next_chance(PaceState(), NOW) == NOW
    assert pace.next_chance(PaceState(rpm=60, next_start_at=NOW - MINUTE), NOW) == NOW
