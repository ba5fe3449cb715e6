"""The statistics that a leader logs about its time in the lead."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.cluster.waiting import wait_for
from tests.dispatcher_harness import Stage
from worker.dispatch.tick import Tick
from worker.store.database import Database

PATIENCE = 30.0


def test_a_leader_that_stops_logs_its_statistics(on_sqlite: Database) -> None:
    """How many ticks, how long they were, and what its thread used of the processor."""
    stage = Stage(on_sqlite)
    leader = stage.dispatcher()
    with capture_logs() as logs:
        leader.start()
        wait_for(lambda: leader.leads, seconds=PATIENCE, what="the lead")
        leader.stop()
    (told,) = [entry for entry in logs if entry["event"] == "leadership_ended"]
    assert told["ticks"] >= 1
    assert 0 < told["cpu_seconds"] <= told["ticks"] * told["longest_tick_ms"] / 1_000 + 0.1
    assert 0 < told["tick_ms"] <= told["longest_tick_ms"]


def test_a_follower_has_nothing_to_tell(on_sqlite: Database) -> None:
    """Only ticks in the lead are counted."""
    stage = Stage(on_sqlite)
    assert stage.dispatcher().run_once().leads
    follower = stage.dispatcher()
    looked: list[bool] = []

    def look_again(tick: Tick) -> float:
        looked.append(tick.leads)
        return 0.01

    follower.max_wait = look_again
    with capture_logs() as logs:
        follower.start()
        wait_for(lambda: len(looked) > 1, seconds=PATIENCE, what="two looks")
        follower.stop()
    assert not any(looked)
    assert [entry for entry in logs if entry["event"] == "leadership_ended"] == []
