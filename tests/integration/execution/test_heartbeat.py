"""A worker's heartbeat: written at once on a change, and visible in a file even during an outage of the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.cluster.waiting import wait_for
from tests.servers.service_manager import listening
from worker.environment.service_manager import ServiceManager
from worker.execution.heartbeat import Heartbeat
from worker.store import workers
from worker.store.database import Database

SECONDS: Final = 20.0
"""Bound for a beat that is asked for; a test that reaches it fails."""


@dataclass(slots=True)
class Sick:
    """A worker whose error the test sets."""

    trouble: str | None = None
    heart: Heartbeat = field(init=False)

    def __call__(self) -> str | None:
        return self.trouble


@pytest.fixture
def sick(on_sqlite: Database, tmp_path: Path) -> Iterator[Sick]:
    """Its heart beats until the test ends."""
    worker = Sick()
    worker.heart = Heartbeat(on_sqlite, uuid7(), "studio", 1, "ttsq", 4, problem=worker, alive_file=tmp_path / "alive")
    worker.heart.start()
    yield worker
    worker.heart.stop(sign_off=False)


def test_changes_are_recorded_at_once(sick: Sick, on_sqlite: Database) -> None:
    """The dispatcher learns of an error, and of its end, before the next regular beat."""
    for error in ("the broker is full", None):
        sick.trouble = error
        sick.heart.nudge()
        wait_for(
            lambda error=error: _row(on_sqlite, sick.heart.worker_id).problem == error,  # type: ignore[misc]  # bound at once
            seconds=SECONDS,
            what=f"recorded: {error}",
        )


def test_the_alive_file_is_touched_whether_the_database_answers_or_not(sick: Sick, on_sqlite: Database) -> None:
    """A database that is away is no reason to end a worker that may be paying for calls."""
    alive = sick.heart.alive_file
    assert alive is not None
    sick.heart.nudge()
    wait_for(alive.exists, seconds=SECONDS, what="the file is there")
    with on_sqlite.begin() as connection:
        connection.execute(text("ALTER TABLE workers RENAME TO elsewhere"))
    alive.unlink()
    sick.heart.nudge()
    wait_for(alive.exists, seconds=SECONDS, what="the file is there again")
    with on_sqlite.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO workers"))


def test_the_alive_file_is_not_touched_while_a_thread_hangs(sick: Sick) -> None:
    """The beats go on, and the health check fails; it passes again once the thread runs."""
    alive, hanging = sick.heart.alive_file, ["the Celery thread has not run"]
    assert alive is not None
    sick.heart.stalled = lambda: hanging[0] if hanging else None
    alive.unlink(missing_ok=True)
    sick.heart.show_alive()
    assert not alive.exists()
    hanging.clear()
    sick.heart.nudge()
    wait_for(alive.exists, seconds=SECONDS, what="the file is there again")


def test_systemds_watchdog_is_fed_unless_a_thread_hangs(sick: Sick, tmp_path: Path) -> None:
    """As the file is; and a departure is announced."""
    with listening(tmp_path / "notify") as systemd:
        sick.heart.service_manager = ServiceManager(str(tmp_path / "notify"))
        sick.heart.nudge()
        systemd.await_message("WATCHDOG=1")
        sick.heart.announce_stop()
        systemd.await_message("STOPPING=1")


def test_a_supervisor_that_is_gone_costs_nothing(sick: Sick, tmp_path: Path) -> None:
    """A socket that is removed, or full, loses the message and no heartbeat."""
    sick.heart.service_manager = ServiceManager(str(tmp_path / "gone"))
    sick.heart.show_alive()
    sick.heart.service_manager = ServiceManager("@ttsq-test-without-a-listener")
    sick.heart.show_alive()


def test_a_hanging_thread_feeds_no_watchdog(on_sqlite: Database, tmp_path: Path) -> None:
    """Else systemd would keep a worker that does nothing."""
    heart = Heartbeat(on_sqlite, uuid7(), "studio", 1, "ttsq", 4, problem=lambda: None, stalled=lambda: "it hangs")
    with listening(tmp_path / "notify") as systemd:
        heart.service_manager = ServiceManager(str(tmp_path / "notify"))
        heart.show_alive()
        heart.announce_stop()
        systemd.await_message("STOPPING=1")
        assert systemd.seen == ["STOPPING=1"]


def test_one_that_never_began_has_nothing_to_announce(on_sqlite: Database) -> None:
    """Asked to leave before it has signed on, it writes nothing."""
    heart = Heartbeat(on_sqlite, uuid7(), "studio", 1, "ttsq", 4, problem=lambda: None)
    heart.announce_stop()
    heart.stop(sign_off=True)
    with on_sqlite.read() as connection:
        assert workers.present(connection) == []


def _row(database: Database, worker_id: UUID) -> workers.Member:
    with database.read() as connection:
        return next(member for member in workers.present(connection) if member.id == worker_id)
