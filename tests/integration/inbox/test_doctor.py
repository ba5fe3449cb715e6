"""What `ttsq doctor` says of the inbox."""

from __future__ import annotations

from datetime import timedelta

from tests.factories import add_lease
from tests.inbox_harness import Office, insert
from worker.cli.doctor.checks import EMPTY_INBOX, check_inbox
from worker.cli.doctor.findings import Level
from worker.store.database import Database


def test_an_unread_inbox_is_a_warning(database: Database) -> None:
    """With a leader it is work to be done, without one nothing will come of it."""
    assert check_inbox(database) == EMPTY_INBOX
    with database.begin() as connection:
        insert(connection, {"text": "Hello."})
    found = check_inbox(database)
    assert (found.level, found.message) == (Level.WARNING, "1 request waiting, and no worker reads them")
    with database.begin() as connection:
        add_lease(connection, expires_at=database.now(connection) + timedelta(minutes=1))
    found = check_inbox(database)
    assert (found.level, found.message) == (Level.OK, "1 request waiting")


def test_refused_requests_are_a_warning(database: Database) -> None:
    """Their producers may not have noticed."""
    with database.begin() as connection:
        insert(connection, {"text": "Hello.", "voice_1": "Unheard"})
    Office(database).reader.run_once()
    found = check_inbox(database)
    assert (found.level, found.message) == (Level.WARNING, "1 request refused")
    assert "ttsq inbox refused" in found.remedy
