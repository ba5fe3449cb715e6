"""The log of events: kept for a time, and read by its numbers."""

from __future__ import annotations

from datetime import timedelta

from tests.factories import NOW
from worker.store.database import Database
from worker.store.outbox import events


def test_old_events_go_in_pieces_and_numbers_never_come_again(database: Database) -> None:
    """The oldest first; the newest stays however old, so that a reader that resumes from it misses nothing."""
    with database.begin() as connection:
        ids = [
            events.record(connection, events.HELD, "account", {"n": n}, now=NOW + timedelta(days=n)) for n in range(5)
        ]
        assert events.forget(connection, written_before=NOW + timedelta(days=3), most=2) == 2
        assert [event.id for event in events.after(connection, 0, most=10)] == ids[2:]
        assert events.forget(connection, written_before=NOW + timedelta(days=300)) == 2
        assert events.forget(connection, written_before=NOW + timedelta(days=300)) == 0
        newer = events.record(connection, events.RELEASED, "account", {}, now=NOW)
        assert [event.id for event in events.after(connection, ids[-1], most=10)] == [newer]
