"""Ageing and the reserve: who waits long enough gets a turn, and interactive jobs find a slot."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import a_lane, waiting_jobs
from worker.dispatch.fairness.admission import admit
from worker.dispatch.fairness.ageing import Ageing, urgency
from worker.dispatch.fairness.reserve import MEMORY_SECONDS, Reserve, reserved
from worker.dispatch.fairness.rotation import Rotation
from worker.store.transitions.dispatches import Lane, Waiting

BEGAN = datetime(2026, 11, 21, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STEP = 60.0
ENDLESS = waiting_jobs(50)
BULK = a_lane(lane=UUID(int=1), since=BEGAN.timestamp())
URGENT = a_lane(priority=3, lane=UUID(int=2), since=BEGAN.timestamp())


@given(
    priority=st.integers(-100, 100),
    waited=st.floats(-10, 1e12),
    longer=st.floats(0, 1e12),
    top=st.integers(-100, 100),
)
def test_urgency_only_grows_and_has_its_bounds(priority: int, waited: float, longer: float, top: int) -> None:
    """Never less than the priority, never more than that of the most urgent, and no less for who waits longer."""
    top = max(top, priority)
    now = urgency(priority, waited, STEP, top)
    assert priority <= now <= urgency(priority, waited + longer, STEP, top) <= top


def test_a_step_is_a_priority() -> None:
    """After each full `STEP`, and not before."""
    assert [urgency(0, waited, STEP, 9) for waited in (0, 59.9, 60, 119.9, 120, 1_000)] == [0, 0, 1, 1, 2, 9]


def served(ageing: Ageing, lanes: list[Lane], *, places: int, ticks: int) -> list[Counter[Lane]]:
    """What each lane, all of them endless, gets in each tick; a tick lasts a second."""
    shares, turns = [], Rotation()
    for number in range(ticks):
        now, got = BEGAN + number * SECOND, Counter[Lane]()

        def serve(lane: Lane, _job: Waiting, now: datetime = now, got: Counter[Lane] = got) -> bool:
            turns.serve(lane)
            ageing.serve(lane, now)
            got[lane] += 1
            return True

        urgencies = ageing.urgencies(lanes, now)
        admit(turns.in_order(lanes), places, lambda _lane, most: ENDLESS[:most], serve, urgencies.__getitem__)
        shares.append(got)
    return shares


def test_no_priority_starves_another() -> None:
    """Under an endless stream of urgent jobs the others get a turn after as many steps as they lie behind."""
    shares = served(Ageing(STEP), [URGENT, BULK], places=1, ticks=600)
    turns = [number for number, got in enumerate(shares) if got[BULK]]
    assert turns
    assert turns[0] >= 3 * STEP
    assert all(later - sooner <= 3 * STEP + 2 for sooner, later in zip([0, *turns], [*turns, 600], strict=True))


def test_bulk_that_is_served_all_the_time_stays_bulk() -> None:
    """However long its first jobs have waited, urgent ones come first: it ages only while others are served."""
    old = a_lane(lane=UUID(int=1), since=BEGAN.timestamp() - 86_400)
    ageing = Ageing(STEP)
    served(ageing, [old], places=5, ticks=300)
    now = BEGAN + 300 * SECOND
    fresh = a_lane(priority=1, lane=UUID(int=2), since=now.timestamp())
    assert ageing.urgencies([old, fresh], now) == {old: 0, fresh: 1}


def test_no_lane_ages_while_nothing_starts() -> None:
    """After an hour behind a closed gate the order is what it was."""
    ageing = Ageing(STEP)
    served(ageing, [URGENT, BULK], places=2, ticks=5)
    later = BEGAN + timedelta(hours=1)
    assert ageing.urgencies([URGENT, BULK], later) == {URGENT: 3, BULK: 0}


def test_a_new_leader_takes_no_lane_for_starved() -> None:
    """It knows only what it has seen: an old batch is no more urgent for it than a fresh one."""
    ageing = Ageing(STEP)
    served(ageing, [URGENT, BULK], places=1, ticks=200)
    ageing.forget()
    now = BEGAN + 500 * SECOND
    ageing.urgencies([URGENT, BULK], now)
    ageing.serve(URGENT, now)
    assert ageing.urgencies([URGENT, BULK], now) == {URGENT: 3, BULK: 0}


def test_a_long_memory_of_lanes_is_cut() -> None:
    """Those served longest ago are forgotten; they have waited longest all the same."""
    ageing, lanes = Ageing(STEP, max_remembered=10), [a_lane(lane=UUID(int=number)) for number in range(1, 30)]
    ageing.urgencies(lanes, BEGAN)
    for number, lane in enumerate(lanes):
        ageing.serve(lane, BEGAN + number * 60 * SECOND)
    found = ageing.urgencies([*lanes, a_lane(priority=50, lane=UUID(int=99))], BEGAN + timedelta(hours=1))
    assert found[lanes[0]] > found[lanes[-2]] == 1 > found[lanes[-1]]


@given(slots=st.integers(0, 5_000), share=st.floats(0, 0.9))
def test_a_reserve_is_never_everything(slots: int, share: float) -> None:
    """One slot at least where there are two, and bulk always keeps one."""
    kept = reserved(slots, share)
    assert 0 <= kept <= max(0, slots - 1)
    assert (kept >= 1) == (slots >= 2 and share > 0)


@pytest.mark.parametrize(("slots", "kept"), [(1, 0), (2, 1), (10, 1), (100, 10), (1_000, 100)])
def test_a_tenth_is_reserved(slots: int, kept: int) -> None:
    """Rounded."""
    assert reserved(slots, 0.1) == kept


def test_the_reserve_binds_while_interactive_jobs_were_seen_lately() -> None:
    """Bulk alone uses every slot; a minute after the last interactive job it does so again."""
    reserve = Reserve(0.1)
    reserve.note([BULK], BEGAN)
    assert reserve.held(100, BEGAN) == 0
    reserve.note([URGENT, BULK], BEGAN)
    assert reserve.held(100, BEGAN) == 10
    reserve.note([BULK], BEGAN + SECOND)
    assert reserve.held(100, BEGAN + MEMORY_SECONDS * SECOND) == 10
    assert reserve.held(100, BEGAN + (MEMORY_SECONDS + 1) * SECOND) == 0
