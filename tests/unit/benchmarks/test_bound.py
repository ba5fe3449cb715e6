"""The bound that executors are held against, and what the races know of those who take part."""

from __future__ import annotations

import pytest

from benchmarks import bound, rooms
from benchmarks.cases import Case, bound_seconds, ideal_seconds
from benchmarks.peers.lineup import FORKED, PEERS, chosen
from benchmarks.texts import text


def test_the_next_text_goes_to_the_first_free_slot() -> None:
    """Two slots: the third text follows the second, which ends first; the fourth follows that."""
    assert ideal_seconds([5, 1, 2, 4], 2) == 7
    assert ideal_seconds([5, 1, 2], 2) == 5
    assert ideal_seconds([5, 1, 2], 3) == 5
    assert ideal_seconds([], 3) == 0


def test_under_a_rate_no_text_starts_before_its_turn() -> None:
    """Two a second: the last of four starts after a second and a half, or when a slot is free."""
    assert ideal_seconds([1, 1, 1, 1], 4, starts_a_second=2) == 2.5
    assert ideal_seconds([3, 3, 3, 3], 2, starts_a_second=2) == 6.5


def test_a_rate_limit_is_a_bound_of_its_own() -> None:
    """Whichever takes longer counts."""
    assert bound_seconds([1.0] * 10, 10, rpm=60) == 10
    assert bound_seconds([1.0] * 10, 10, rpm=None) == 1
    assert bound_seconds([30.0] * 10, 5, rpm=60) == 60


def test_a_smaller_case_starts_as_many_calls_a_second() -> None:
    """Slots over latency stays, and with it the pressure; so does a rate limit."""
    small = Case(6_000, 18.0, 3_000, target=1.06, rpm=600).scaled(0.2)
    assert (small.texts, small.slots, small.rpm) == (1_200, 600, 600)
    assert small.latency == pytest.approx(3.6)
    assert small.slots / small.latency == pytest.approx(3_000 / 18)


def test_the_bound_knows_how_long_each_text_takes() -> None:
    """The emulator takes as long for a text as the bound was worked out with, whatever was asked before."""
    case = Case(10, 2.0, 5, target=1.02)
    config = case.emulator(24_000, seed=3)
    expected = [config.latency().of_text(3, text(number)) for number in (1, 2, 3)]
    assert len(set(expected)) == 3
    assert all(1.4 <= seconds <= 2.6 for seconds in expected)
    assert config.latency_by_text


def test_knobs_refuse_what_does_not_exist() -> None:
    """The error for an unknown case or peer lists the valid names."""
    with pytest.raises(ValueError, match="no case 4; there are 1, 2, 3"):
        bound.Knobs(cases="1,4")
    with pytest.raises(ValueError, match="no peer huey; there are threads"):
        bound.Knobs(peers="threads,huey")


def test_peers_are_chosen_by_name() -> None:
    """All, none, or some in the order asked for."""
    assert chosen("all") == list(PEERS.values())
    assert chosen("none") == []
    assert [peer.name for peer in chosen("rq,bare")] == ["RQ", "bare asyncio script"]


def test_peers_with_a_process_a_call_say_how_few_calls_they_hold() -> None:
    """Their processes are bounded, and are as many as they say; the others hold what is asked."""
    held = {name: peer.held(1_000) for name, peer in PEERS.items()}
    assert held == {
        "threads": 1_000,
        "gevent": 1_000,
        "prefork": FORKED,
        "dramatiq": 1_000,
        "rq": FORKED,
        "bare": 1_000,
    }
    (pool,) = PEERS["rq"].crew(2, 500)
    assert (pool.command[-1], pool.times) == (str(FORKED), FORKED)
    prefork = PEERS["prefork"].crew(2, 500)
    assert [program.command[program.command.index("--concurrency") + 1] for program in prefork] == ["25", "25"]
    assert PEERS["bare"].crew(2, 500) == ()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["/usr/lib/ssl.py", "urllib3/x.py", "/w/worker/segmind/transport.py", "/w/worker/tasks.py"], "call"),
        (["sqlalchemy/x.py", "/w/worker/store/database.py", "/w/worker/execution/recorder.py"], "record"),
        (["sqlalchemy/x.py", "/w/worker/store/workers.py", "/w/worker/dispatch/dispatcher.py"], "dispatch"),
        (
            ["/p/redis/client.py", "/p/kombu/x.py", "/w/worker/broker/publisher.py", "/w/worker/dispatch/starter.py"],
            "Celery",
        ),
        (["/w/worker/maintenance/leader_task.py", "/usr/lib/threading.py"], rooms.REST),
        (["/usr/lib/threading.py"], rooms.REST),
    ],
)
def test_the_innermost_known_file_names_the_room(files: list[str], expected: str) -> None:
    """Time in a shared module is attributed to the calling room."""
    assert rooms.room(files) == expected
    assert expected in rooms.NAMES
