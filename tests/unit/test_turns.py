"""Turns and the window over lanes: whoever was served longest ago goes first, and everybody is looked at in time."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import OTHER_MODEL, a_lane, waiting_jobs
from worker.dispatch.admission import admit
from worker.dispatch.turns import Turns
from worker.dispatch.window import Window
from worker.store.transitions.dispatching import Lane, Waiting

ENDLESS = waiting_jobs(200)


def batch(number: int, tenant: str = "default", priority: int = 0) -> Lane:
    """One of a tenant's batches."""
    return a_lane(priority=priority, tenant=tenant, lane=UUID(int=number))


def served(lanes: list[Lane], *, places: int, ticks: int) -> Counter[Lane]:
    """How many jobs of each lane get their turn, each of them being endless."""
    turns, got = Turns(), Counter[Lane]()

    def serve(lane: Lane, _job: Waiting) -> bool:
        turns.serve(lane)
        got[lane] += 1
        return True

    for _ in range(ticks):
        admit(turns.in_order(lanes), places, lambda _lane, most: ENDLESS[:most], serve)
    return got


@pytest.mark.parametrize("places", [1, 2, 3, 7])
def test_tenants_share_evenly_over_ticks_however_small(places: int) -> None:
    """With room for one job a tick, as under a slow rate, nobody waits behind the first of the alphabet."""
    lanes = [batch(1, "ann"), batch(2, "bob"), batch(3, "cy")]
    got = served(lanes, places=places, ticks=60)
    assert set(got.values()) == {places * 20}


@pytest.mark.parametrize("places", [1, 3])
def test_a_tenant_with_many_batches_gets_no_more_than_one_with_few(places: int) -> None:
    """The batches of one tenant share what is the tenant's."""
    crowd = [batch(number, "ann") for number in range(1, 11)]
    alone = batch(99, "bob")
    got = served([*crowd, alone], places=places, ticks=100)
    assert got[alone] == places * 50
    assert {got[lane] for lane in crowd} == {places * 5}


def test_who_was_never_served_goes_first() -> None:
    """Then by how long ago it was."""
    turns, first, second, third = Turns(), batch(1, "ann"), batch(2, "bob"), batch(3, "cy")
    turns.serve(second)
    turns.serve(third)
    assert turns.in_order([third, second, first]) == [first, second, third]


def test_the_turns_of_one_priority_say_nothing_of_another() -> None:
    """Urgent jobs of a tenant don't cost its others their place."""
    turns, urgent = Turns(), batch(1, "ann", priority=5)
    plain = [batch(2, "ann"), batch(3, "bob")]
    turns.serve(batch(3, "bob"))
    turns.serve(urgent)
    assert turns.in_order(plain) == plain


def test_a_long_memory_is_cut() -> None:
    """Those who were served longest ago are forgotten, and go first all the same."""
    turns, lanes = Turns(most=10), [batch(number, f"tenant {number:02}") for number in range(50)]
    for lane in lanes:
        turns.serve(lane)
    assert turns.in_order(lanes[-2:] + lanes[:1]) == [lanes[0], *lanes[-2:]]


def a_row(lanes: list[Lane]) -> list[Lane]:
    """Lanes as the index has them."""
    return sorted(lanes, reverse=True)


def look(window: Window, lanes: list[Lane]) -> list[Lane]:
    """What a tick sees of these lanes."""

    def at(*, most: int, after: Lane | None = None) -> list[Lane]:
        return [lane for lane in a_row(lanes) if after is None or lane < after][:most]

    return window.look(at)


@given(st.integers(0, 9))
def test_few_lanes_are_seen_in_every_look(count: int) -> None:
    """All of them, in order."""
    lanes, window = [batch(number) for number in range(count)], Window(most=10)
    for _ in range(4):
        assert look(window, lanes) == a_row(lanes)


@given(
    st.lists(st.builds(batch, st.integers(0, 500), st.sampled_from(["a", "b"]), st.integers(-2, 2)), unique=True),
    st.integers(2, 12),
)
def test_every_lane_is_looked_at_in_time(lanes: list[Lane], most: int) -> None:
    """However many there are; none twice in one look, never more than so many, and the most urgent always."""
    window, seen = Window(most=most), set()
    for _ in range(2 * (len(lanes) // (most // 2) + 2)):
        found = look(window, lanes)
        assert len(found) == len(set(found)) <= most
        assert found[: most // 2] == a_row(lanes)[: most // 2]
        seen |= set(found)
    assert seen == set(lanes)


def test_lanes_that_no_gate_lets_pass_hide_nobody() -> None:
    """A thousand batches of a closed model, and behind them one of another: it is seen soon."""
    hidden = a_lane(priority=-1, model=OTHER_MODEL)
    lanes, window = [*(batch(number) for number in range(1_000)), hidden], Window(most=100)
    assert any(hidden in look(window, lanes) for _ in range(25))


def test_with_more_lanes_than_a_look_takes_nobody_starves() -> None:
    """One place a tick, and every tenant is served before any is for the fourth time."""
    lanes = [batch(number, f"tenant {number:03}") for number in range(60)]
    window, turns, got = Window(most=20), Turns(), Counter[Lane]()

    def serve(lane: Lane, _job: Waiting) -> bool:
        turns.serve(lane)
        got[lane] += 1
        return True

    for _ in range(130):
        admit(turns.in_order(look(window, lanes)), 1, lambda _lane, most: ENDLESS[:most], serve)
    assert set(got) == set(lanes)
    assert max(got.values()) <= 3
