"""Room on the disk is promised to calls in flight, so that no more are paid for than can be kept."""

from __future__ import annotations

from contextlib import ExitStack

from worker.execution.spool_room import Room

MIB = 2**20
TEXT = "A sentence of about sixty characters, as most of them have it."


def started(room: Room, *, free: int, keep: int, text: str = TEXT, most: int = 1_000) -> int:
    """How many calls may be in flight at once."""
    with ExitStack() as stack:
        return sum(stack.enter_context(room.promise(text, free=free, keep=keep)) for _ in range(most))


def test_calls_in_flight_share_the_room() -> None:
    """Each sees the same free space; together they start no more than fit in it."""
    some = started(Room(), free=20 * MIB, keep=4 * MIB)
    assert 20 < some < 60
    assert started(Room(), free=36 * MIB, keep=4 * MIB) in range(2 * some - 1, 2 * some + 3)


def test_room_comes_back_when_a_call_ends() -> None:
    room = Room()
    assert started(room, free=20 * MIB, keep=4 * MIB) == started(room, free=20 * MIB, keep=4 * MIB)


def test_long_texts_and_long_answers_take_more_room() -> None:
    room = Room()
    usual = started(room, free=64 * MIB, keep=MIB)
    assert started(room, free=64 * MIB, keep=MIB, text=TEXT * 10) < usual / 5
    room.learn(8 * MIB)
    assert started(room, free=64 * MIB, keep=MIB) == 7


def test_one_call_starts_wherever_the_minimum_is_free() -> None:
    """However long its text: otherwise it would wait forever."""
    assert started(Room(), free=4 * MIB, keep=4 * MIB, text=TEXT * 50) == 1
    assert started(Room(), free=4 * MIB - 1, keep=4 * MIB) == 0
