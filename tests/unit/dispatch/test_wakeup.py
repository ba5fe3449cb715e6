"""What cuts the dispatcher's wait short, and how often in a row it may."""

from __future__ import annotations

import threading

import pytest

from worker.dispatch.wakeup import QUICK_TICKS, Rhythm, Wakeup, after_tick, quick_delay

GATHER = 0.1
FOR_EVER = 3_600.0


def test_the_first_arrivals_are_answered_at_once() -> None:
    """In an idle system, ticks may follow one another without a pause, up to a bound; from then on they are spaced."""
    rhythm, now, quick = Rhythm(), 100.0, 0
    while quick_delay(rhythm, GATHER) == 0:
        rhythm, quick = after_tick(rhythm, now, GATHER), quick + 1
    assert quick == QUICK_TICKS
    assert quick_delay(rhythm, GATHER) == pytest.approx(GATHER)


def test_a_stream_of_arrivals_gets_no_more_ticks_than_changes_do() -> None:
    """In the long run a continuous producer causes one tick per gather time."""
    rhythm, now, ticks = Rhythm(), 0.0, 0
    while now < 100 * GATHER:
        rhythm, ticks = after_tick(rhythm, now, GATHER), ticks + 1
        now += max(quick_delay(rhythm, GATHER), GATHER / 1_000)
    assert ticks <= 100 + QUICK_TICKS + 1


def test_quiet_brings_the_quick_ticks_back() -> None:
    """They grow back with time, and beyond their number they don't."""
    rhythm = Rhythm(tokens=0.0, ticked_at=0.0)
    assert quick_delay(after_tick(rhythm, 2 * GATHER, GATHER), GATHER) == 0
    assert after_tick(rhythm, 1_000.0, GATHER).tokens == QUICK_TICKS - 1


def test_ticks_that_come_faster_than_the_gather_time_owe_nothing() -> None:
    """A rate that asks for ticks of its own leaves an arrival no longer wait than one gather time."""
    rhythm = Rhythm()
    for number in range(100):
        rhythm = after_tick(rhythm, number * GATHER / 10, GATHER)
    assert 0 < quick_delay(rhythm, GATHER) <= GATHER


@pytest.mark.parametrize("ring", [Wakeup.change, Wakeup.arrive, Wakeup.stop])
def test_an_earlier_ring_is_noticed(ring: object) -> None:
    """What rings between a look and the wait ends the wait."""
    alarm = Wakeup()
    assert callable(ring)
    ring(alarm)
    alarm.wait(FOR_EVER, change=0.0, arrival=0.0)


@pytest.mark.parametrize("ring", [Wakeup.change, Wakeup.arrive, Wakeup.stop])
def test_a_ring_during_the_wait_is_noticed(ring: object) -> None:
    """A waiting thread wakes when another one rings."""
    alarm = Wakeup()
    assert callable(ring)
    waiting = threading.Thread(target=alarm.wait, args=(FOR_EVER,), kwargs={"change": 0.0, "arrival": 0.0})
    waiting.start()
    ring(alarm)
    waiting.join(30)
    assert not waiting.is_alive()


def test_an_arrival_is_more_urgent_than_a_change() -> None:
    """With both, the sooner one counts; nothing makes a wait longer than it was to be."""
    alarm = Wakeup()
    alarm.change()
    alarm.arrive()
    alarm.wait(FOR_EVER, change=FOR_EVER, arrival=0.0)
    alarm.wait(0.0, change=FOR_EVER, arrival=FOR_EVER)


def test_a_look_forgets_what_rang_before_it() -> None:
    """What rang before a look has been looked at: the next wait is as long as any."""
    moments = iter([0.0, 5.0])
    alarm = Wakeup(clock=lambda: next(moments))
    alarm.arrive()
    alarm.change()
    alarm.forget()
    alarm.wait(5.0, change=0.0, arrival=0.0)
    assert next(moments, None) is None
